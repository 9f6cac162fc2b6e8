/** Tests that requests that are challenged at once take turns. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpClient } from "../../../../lib/http/client.ts";
import { Authenticator } from "../../../../lib/transport/registry/auth/authenticator.ts";
import { NEVER, QUICK_LIMITS } from "../registry_fixture.ts";

test("credentials are looked up by one request at a time, also after a failure", async () => {
  let [running, most, lookups] = [0, 0, 0];
  const authenticator = new Authenticator({
    http: {} as HttpClient,
    limits: QUICK_LIMITS,
    mayUseHttp: () => true,
    url: new URL("https://registry.example/"),
    scopes: [{ repository: "team/app", actions: ["pull"] }],
    credentials: {
      async find() {
        lookups++;
        most = Math.max(most, ++running);
        await sleep(5);
        running--;
        throw new Error("The helper failed");
      },
    },
  });
  const challenges = [{ scheme: "basic", parameters: new Map<string, string>() }];
  const answers = [1, 2, 3, 4].map(() => authenticator.answer(challenges, undefined, NEVER));
  const results = await Promise.allSettled(answers);
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.deepEqual([lookups, most], [4, 1]);
});

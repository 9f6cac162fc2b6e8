/** References that name a registry and no image in it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../../lib/errors.ts";
import { parseReference } from "../../../lib/reference/parse_reference.ts";
import type { DockerReference } from "../../../lib/types/reference.ts";
import { open } from "./registry_fixture.ts";

test("a registry alone is no image of Docker Hub", async () => {
  const uris = ["localhost:5000", "registry.example.com", "registry.example.com:443"];
  for (const uri of uris) {
    const reference = parseReference(`docker://${uri}`) as DockerReference;
    await assert.rejects(open("unused", { reference }), (error) => {
      assert.ok(hasCode(error, "reference"), String(error));
      assert.equal(error.message, `docker://${uri} names a registry, but no image in it`);
      return true;
    });
  }
  for (const uri of ["my.app:1.0", "alpine:5000", "my.app:v1", "localhost/app"]) {
    const reference = parseReference(`docker://${uri}`) as DockerReference;
    await (await open("unused", { reference }))[Symbol.asyncDispose]();
  }
});

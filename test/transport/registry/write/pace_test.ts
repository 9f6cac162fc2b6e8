/** How many requests a registry gets at once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Pace } from "../../../../lib/transport/registry/write/pace.ts";
import { isError, NEVER } from "../registry_fixture.ts";

/** Counts how many of its requests are open at once. */
function requests(pace: Pace) {
  const state = { open: 0, most: 0 };
  const send = async () => {
    state.most = Math.max(state.most, ++state.open);
    await sleep(1);
    state.open--;
  };
  return async (count: number) => {
    state.most = 0;
    await Promise.all(Array.from({ length: count }, () => pace.run(send, NEVER)));
    return state.most;
  };
}

test("a registry gets no more requests at once than it takes", async () => {
  const pace = new Pace(8);
  const most = requests(pace);
  assert.equal(await most(20), 8);
  pace.slowDown(0);
  assert.equal(await most(10), 4);
  for (let time = 0; time < 9; time++) pace.slowDown(0);
  assert.equal(await most(5), 1);
  for (let round = 0; round < 30; round++) await most(20);
  assert.equal(await most(20), 8);
});

test("no request goes out before the registry wants one", async () => {
  const pace = new Pace(4);
  pace.slowDown(50);
  const started = performance.now();
  await pace.run(() => Promise.resolve(), NEVER);
  assert.ok(performance.now() - started >= 45);
});

test("a request that waits can be stopped, and the next one still gets its turn", async () => {
  const pace = new Pace(1);
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  const running = pace.run(() => first.promise, NEVER);
  const stopped = pace.run(() => assert.fail("It was stopped"), stop.signal);
  const next = pace.run(() => Promise.resolve("done"), NEVER);
  stop.abort();
  await assert.rejects(stopped, isError("aborted", /./));
  first.resolve();
  await running;
  assert.equal(await next, "done");
});

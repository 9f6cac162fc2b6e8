/** How long a retry waits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../lib/transport/registry/limits.ts";
import { parseRetryAfter, Retries, retryDelayMs, RetryLog } from "../../lib/http/retry.ts";
import { TransferError } from "../../lib/http/transfer_error.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

const TABLE: readonly (readonly [value: string | undefined, expected: number | undefined])[] = [
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7000],
  ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
  ["Thu, 01 Jan 2015 00:01:00 GMT", 0],
  ["Thursday, 01-Jan-26 00:00:10 GMT", 10_000],
  ["-1", undefined],
  ["1.5", undefined],
  ["soon", undefined],
  ["99999999999999999999", undefined],
  ["", undefined],
  [undefined, undefined],
];

for (const [value, expected] of TABLE) {
  test(`Retry-After ${JSON.stringify(value)} is ${expected} ms`, () => {
    assert.equal(parseRetryAfter(value, NOW), expected);
  });
}

test("the back-off doubles up to its limit, and half of it is random", () => {
  const least = [1, 2, 3, 20].map((n) => retryDelayMs(undefined, n, DEFAULT_LIMITS, () => 0));
  const most = [1, 2, 3, 20].map((n) => retryDelayMs(undefined, n, DEFAULT_LIMITS, () => 1));
  assert.deepEqual(least, [250, 500, 1000, 15_000]);
  assert.deepEqual(most, [500, 1000, 2000, 30_000]);
});

test("a retry waits as long as the server asks for, up to the limit", () => {
  assert.equal(retryDelayMs(5000, 1, DEFAULT_LIMITS, () => 0), 5000);
  assert.equal(retryDelayMs(1e9, 1, DEFAULT_LIMITS, () => 0), DEFAULT_LIMITS.retryAfterMaxMs);
});

test("an abort ends the wait for the next try", async () => {
  const retries = new Retries(3, { ...DEFAULT_LIMITS, backOffMs: 60_000, backOffMaxMs: 60_000 });
  const error = new TransferError("network", "It was cut", { transient: true });
  const started = performance.now();
  await assert.rejects(retries.wait(error, AbortSignal.timeout(20)), { code: "aborted" });
  assert.ok(performance.now() - started < 5000);
});

test("requests that fail together are told of once for each try", async () => {
  const told: string[] = [];
  const log = new RetryLog((event) => event.type === "log" && told.push(event.message));
  const limits = { ...DEFAULT_LIMITS, backOffMs: 2, backOffMaxMs: 2 };
  const error = new TransferError("network", "It was cut", { transient: true });
  const failing = async () => {
    const retries = new Retries(3, limits, log);
    for (;;) await retries.wait(error, new AbortController().signal);
  };
  const results = await Promise.allSettled([failing(), failing(), failing(), failing()]);
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.deepEqual(
    told.map((line) => line.replace(/in \d.\d seconds/, "soon")),
    [1, 2, 3].map((failures) => `It was cut; trying again soon (${failures} of 3)`),
  );
});

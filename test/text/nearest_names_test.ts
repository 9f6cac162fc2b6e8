/** Tests which names are taken for the one that was meant. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestNames } from "../../lib/text/nearest_names.ts";

const NAMES = ["latest", "24.04", "24.10", "22.04", "24.04-slim", "devel"];

for (
  const [wanted, nearest] of [
    ["24.4", ["24.04", "24.10"]],
    ["lastest", ["latest", "devel"]],
    ["24.04slim", ["24.04-slim", "24.04"]],
    ["dev", ["devel", "latest"]],
  ] as const
) {
  test(`${nearest[0]} is nearest to ${wanted}`, () => {
    assert.deepEqual(nearestNames(NAMES, wanted, 2), nearest);
  });
}

test("long names are compared quickly", () => {
  const names = Array.from({ length: 2000 }, (_, index) => `${index}`.padStart(100_000, "x"));
  const started = performance.now();
  assert.equal(nearestNames(names, "y".repeat(100_000), 3).length, 3);
  assert.ok(performance.now() - started < 5000);
});

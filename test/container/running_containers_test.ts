/** Which process of a container stands for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { oldest } from "../../lib/container/running_containers.ts";

const CASES: readonly (readonly [title: string, starts: Record<number, number>, pid: number])[] = [
  ["the only one", { 7: 100 }, 7],
  ["the oldest one, though ids began anew meanwhile", { 301: 900, 32760: 100 }, 32760],
  ["the lowest id of those that began at once", { 11: 100, 12: 100 }, 11],
  ["one that runs rather than one that has ended", { 5: NaN, 9: 100 }, 9],
];

for (const [title, starts, expected] of CASES) {
  test(`a container is shown by ${title}`, () => {
    const processes = Object.keys(starts).map((pid) => ({ pid: Number(pid) }));
    const startOf = (pid: number) => Number.isNaN(starts[pid]!) ? undefined : starts[pid];
    assert.deepEqual(oldest(processes, startOf), { pid: expected });
  });
}

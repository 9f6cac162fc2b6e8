/** Modes after `chmod u+rX` and, for directories, `u+w`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { usableMode } from "../../lib/enroot/permissions.ts";

const TABLE: ReadonlyArray<[type: string, mode: number, expected: number]> = [
  ["file", 0o644, 0o644],
  ["file", 0o000, 0o400],
  ["file", 0o200, 0o600],
  ["file", 0o044, 0o444],
  ["file", 0o011, 0o511],
  ["file", 0o001, 0o501],
  ["file", 0o4755, 0o4755],
  ["file", 0o4011, 0o4511],
  ["directory", 0o000, 0o700],
  ["directory", 0o555, 0o755],
  ["directory", 0o1777, 0o1777],
  ["directory", 0o2050, 0o2750],
  ["symlink", 0o777, 0o777],
  ["symlink", 0o000, 0o000],
  ["fifo", 0o000, 0o400],
];

for (const [type, mode, expected] of TABLE) {
  test(`a ${type} of mode ${mode.toString(8)} becomes ${expected.toString(8)}`, () => {
    assert.equal(usableMode(type, mode), expected);
  });
}

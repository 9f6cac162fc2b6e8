/** Sizes and times for people. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatClock, formatSeconds } from "../../../lib/command/output/units.ts";

const BYTES: ReadonlyArray<[number, string]> = [
  [0, "0 B"],
  [1, "1 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [10_188, "9.9 KiB"],
  [10_190, "10 KiB"],
  [1_022_000, "998 KiB"],
  [1_023_999, "1.0 MiB"],
  [577_765_376, "551 MiB"],
  [1_288_490_188, "1.2 GiB"],
  [2 ** 40, "1.0 TiB"],
  [2 ** 50, "1.0 PiB"],
  [-5, "0 B"],
];
for (const [bytes, text] of BYTES) {
  test(`${bytes} bytes are ${text}`, () => assert.equal(formatBytes(bytes), text));
}

const SECONDS: ReadonlyArray<[number, string]> = [
  [0, "0.0 s"],
  [4.23, "4.2 s"],
  [59.94, "59.9 s"],
  [59.96, "1 min 00 s"],
  [65, "1 min 05 s"],
  [3600, "1 h 00 min"],
  [7384, "2 h 03 min"],
];
for (const [seconds, text] of SECONDS) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(formatSeconds(seconds), text));
}

const CLOCK: ReadonlyArray<[number, string]> = [
  [0, "0:00"],
  [6.1, "0:07"],
  [754, "12:34"],
  [3723, "1:02:03"],
  [-1, "0:00"],
];
for (const [seconds, text] of CLOCK) {
  test(`${seconds} seconds left are ${text}`, () => assert.equal(formatClock(seconds), text));
}

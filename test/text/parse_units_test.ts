/** Sizes and times as people write them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAge, parseBytes } from "../../lib/text/parse_units.ts";

const HOUR_MS = 3_600_000;
const AGES: ReadonlyArray<[text: string, milliseconds: number | undefined]> = [
  ["0d", 0],
  ["90m", 1.5 * HOUR_MS],
  ["12h", 12 * HOUR_MS],
  ["30d", 720 * HOUR_MS],
  ["2W", 336 * HOUR_MS],
  ["", undefined],
  ["30", undefined],
  ["d", undefined],
  ["-1d", undefined],
  ["1.5d", 36 * HOUR_MS],
  ["99999999999d", 99999999999 * 24 * HOUR_MS],
  [".5d", undefined],
  ["1e3d", undefined],
  ["30days", undefined],
];

for (const [text, milliseconds] of AGES) {
  test(`the age "${text}" is ${milliseconds} ms`, () => {
    assert.equal(parseAge(text), milliseconds);
  });
}

const SIZES: ReadonlyArray<[text: string, bytes: number | undefined]> = [
  ["0", 0],
  ["4096", 4096],
  ["1k", 1024],
  ["500M", 500 * 2 ** 20],
  ["100GiB", 100 * 2 ** 30],
  ["2TB", 2 ** 41],
  ["", undefined],
  ["G", undefined],
  ["-1", undefined],
  ["1.5G", 1.5 * 2 ** 30],
  ["0.3KiB", 307],
  ["1.5", undefined],
  ["1,5G", undefined],
  ["8191T", 8191 * 2 ** 40],
  ["8192T", undefined],
  ["999999999999999T", undefined],
];

for (const [text, bytes] of SIZES) {
  test(`the size "${text}" has ${bytes} bytes`, () => {
    assert.equal(parseBytes(text), bytes);
  });
}

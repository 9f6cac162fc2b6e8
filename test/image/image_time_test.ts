/** The image's own time is one that squashfs can hold, whatever its configuration says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { creationTime } from "../../lib/image/image_time.ts";

const LAST = 2 ** 32 - 1;
const times: readonly [created: string | undefined, seconds: number][] = [
  ["2020-01-01T00:00:00Z", 1_577_836_800],
  ["2020-01-01T01:00:00.999999999+01:00", 1_577_836_800],
  ["1970-01-01T00:00:00Z", 0],
  ["1969-12-31T23:59:59Z", 0],
  ["0001-01-01T00:00:00Z", 0],
  ["2106-02-07T06:28:15Z", LAST],
  ["2106-02-07T06:28:16Z", LAST],
  ["9999-12-31T23:59:59Z", LAST],
  ["nonsense", 0],
  [undefined, 0],
];
for (const [created, seconds] of times) {
  test(`an image made at ${created} has the time ${seconds}`, () => {
    assert.equal(creationTime(created), seconds);
  });
}

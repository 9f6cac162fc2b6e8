/** Times that programs read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { secondsSince } from "../../lib/text/seconds_since.ts";

test("a time is whole milliseconds, without the noise of the clock", () => {
  const seconds = secondsSince(performance.now() - 1234.567_891);
  assert.ok(seconds >= 1.235 && seconds < 60, String(seconds));
  assert.match(String(seconds), /^\d+(\.\d{1,3})?$/);
});

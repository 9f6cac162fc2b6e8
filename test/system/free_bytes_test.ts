/** Memory is given back only where nobody else's bytes lie in the same buffer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { freeBytes } from "../../lib/system/free_bytes.ts";

test("bytes with a buffer of their own are gone at once", () => {
  const bytes = new Uint8Array(1000);
  freeBytes(bytes);
  assert.equal(bytes.length, 0);
  assert.equal(bytes.buffer.byteLength, 0);
});

test("a part of a buffer stays, since other bytes lie beside it", () => {
  const whole = Uint8Array.of(1, 2, 3, 4);
  for (const part of [whole.subarray(1), whole.subarray(0, 3)]) freeBytes(part);
  assert.deepEqual([...whole], [1, 2, 3, 4]);
});

test("a memory that threads share stays", () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(8));
  freeBytes(bytes);
  assert.equal(bytes.length, 8);
});

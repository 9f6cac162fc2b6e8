/** Texts as ostree prints them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVariantText } from "../../../lib/transport/ostree/repository.ts";

test("a printed text is read back, quotes and escapes included", () => {
  for (
    const [printed, text] of [
      ["'plain'\n", "plain"],
      [`"it's"\n`, "it's"],
      [String.raw`'{\n "a": "\\\"\'"\t}'`, '{\n "a": "\\"\'"\t}'],
      [String.raw`'\u00e9 \U0001f600 \a\b\f\v\r'`, "é 😀 \x07\b\f\v\r"],
      ["''", ""],
    ] as const
  ) {
    assert.equal(parseVariantText(printed), text);
  }
});

test("what is no text is refused", () => {
  for (const printed of ["uint64 5", "'a", "", "[1, 2]"]) {
    assert.throws(() => parseVariantText(printed), /ostree's metadata is no text/);
  }
});

/** Text from outside cannot play tricks on a terminal or a log. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printableLine, printableText } from "../../lib/command/printable.ts";

const TABLE: ReadonlyArray<[text: string, line: string]> = [
  ["plain", "plain"],
  ["\u00e4\u4e16", "\u00e4\u4e16"],
  ["\u001b[2Jgone", "\\u{1b}[2Jgone"],
  ["\u009b31m", "\\u{9b}31m"],
  ["a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"],
  ["\u0007\u0000\u007f", "\\u{7}\\u{0}\\u{7f}"],
  ["\u202egnp.exe", "\\u{202e}gnp.exe"],
  ["zero\u200bwidth", "zero\\u{200b}width"],
  ["\ud800", "\\u{d800}"],
  ["\u2028", "\\u{2028}"],
];

for (const [text, line] of TABLE) {
  test(`${JSON.stringify(text)} shows as ${line}`, () => {
    assert.equal(printableLine(text), line);
  });
}

test("lines that follow the first one are indented, so that none passes for a message of ours", () => {
  assert.equal(printableText("a\n[INFO] b\r\nc\u001b\n"), "a\n        [INFO] b\n        c\\u{1b}");
});

test("no text keeps a control character", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.doesNotMatch(printableLine(text), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    assert.doesNotMatch(printableText(text).replaceAll("\n        ", ""), /\p{Cc}/u);
  }));
});

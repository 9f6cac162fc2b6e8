/** Text from outside can neither control a terminal nor fake a line of a log. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutLine, printableJson, printableLine, printableText } from "../../lib/text/printable.ts";

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

test("lines after the first are indented, so that none passes for a message of denroot", () => {
  assert.equal(printableText("a\n[INFO] b\r\nc\u001b\n"), "a\n        [INFO] b\n        c\\u{1b}");
});

test("no text keeps a control character", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.doesNotMatch(printableLine(text), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    assert.doesNotMatch(printableText(text).replaceAll("\n        ", ""), /\p{Cc}/u);
  }));
});

test("printable JSON keeps its values, and escapes every unprintable character", () => {
  const value = { "\u202e": ["\u001b[31m", "\u009b", "\u{e0001}", "a\nb", "ä€😀", '"\\'] };
  const text = printableJson(value);
  assert.deepEqual(JSON.parse(text), value);
  // deno-lint-ignore no-control-regex -- the text must not hold them
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u{e0001}]/u);
  assert.ok(text.includes("ä€😀"));
});

test("a long line is cut between characters", () => {
  assert.equal(cutLine("abcdef", 6), "abcdef");
  assert.equal(cutLine("abcdefg", 6), "abc...");
  assert.equal(cutLine("😀😀😀😀😀😀", 6), "😀😀😀😀😀😀");
  assert.equal(cutLine("😀😀😀😀😀😀😀", 6), "😀😀😀...");
});

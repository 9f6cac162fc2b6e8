/** Tests of digests, and of text from outside that becomes part of a message. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { blobPath, digestOf, isDigest, parseDigest, verifyDigest } from "../../lib/oci/digest.ts";
import { plainText, quoteText } from "../../lib/text/quote_text.ts";

const HEX = "0123456789abcdef".repeat(4);

const TABLE: readonly (readonly [text: string, isOne: boolean])[] = [
  [`sha256:${HEX}`, true],
  [`sha512:${HEX}${HEX}`, true],
  [`sha256:${HEX}${HEX}`, false],
  [`sha512:${HEX}`, false],
  [`sha256:${HEX.slice(1)}`, false],
  [`sha256:${HEX}0`, false],
  [`sha256:${HEX.toUpperCase()}`, false],
  [`SHA256:${HEX}`, false],
  [`sha1:${HEX.slice(24)}`, false],
  [`md5:${HEX}`, false],
  [`sha256:../${HEX.slice(3)}`, false],
  [`sha256:${HEX.slice(3)}/..`, false],
  [`sha256:${HEX}\n`, false],
  [` sha256:${HEX}`, false],
  [`sha256${HEX}`, false],
  [HEX, false],
  ["", false],
];

for (const [text, isOne] of TABLE) {
  test(`${JSON.stringify(text.slice(0, 30))} (${text.length}) is ${isOne ? "" : "not "}a digest`, () => {
    assert.equal(isDigest(text), isOne);
    if (isOne) assert.equal(parseDigest(text).hex, text.slice(7));
    else assert.throws(() => blobPath(text), /is not a digest/);
  });
}

test("a blob's path contains the digest's algorithm", () => {
  assert.equal(blobPath(`sha256:${HEX}`), `blobs/sha256/${HEX}`);
});

test("bytes are verified with the digest's own algorithm", () => {
  const bytes = new TextEncoder().encode("abc");
  verifyDigest(bytes, digestOf(bytes), "It");
  verifyDigest(bytes, digestOf(bytes, "sha512"), "It");
  const other = digestOf(new Uint8Array());
  assert.throws(
    () => verifyDigest(bytes, other, "It"),
    /^DenrootError: It has the digest sha256:ba7/,
  );
});

test("no character that moves the cursor or hides text gets into a message", () => {
  const text = "a\u001b]0;x\u0007\r\n\t\u0085\u202e\u200b\u2028\ud800b";
  assert.equal(
    quoteText(text),
    '"a\\u{1b}]0;x\\u{7}\\u{d}\\u{a}\\u{9}\\u{85}\\u{202e}\\u{200b}\\u{2028}\\u{d800}b"',
  );
  assert.equal(plainText("Zürich 東京 😀"), "Zürich 東京 😀");
  assert.equal(plainText("x".repeat(500), 10), "xxxxxxxxxx...");
});

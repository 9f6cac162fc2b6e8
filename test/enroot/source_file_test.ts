/** What is written into `/.enroot/source` is what is read from it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSource, parseSource } from "../../lib/enroot/source_file.ts";

test("the URI that is written is read again", () => {
  for (const uri of ["docker://ubuntu", "oci:/a b/ü:latest", "docker://h:5000#a/b@sha256:00="]) {
    assert.equal(parseSource(formatSource(uri)), uri);
  }
});

test("a URI cannot add a line", () => {
  assert.equal(formatSource("docker://a\nuri=docker://b"), "uri=docker://a uri=docker://b\n");
});

const files: readonly [title: string, text: string, uri: string | undefined][] = [
  ["an empty file", "", undefined],
  ["a file of other keys", "digest=sha256:00\n", undefined],
  ["a file without a line's end", "uri=docker://a", "docker://a"],
  ["a file with other keys around it", "a=1\nuri=docker://a\nb=2\n", "docker://a"],
  ["a file with the key twice", "uri=docker://a\nuri=docker://b\n", "docker://a"],
  ["a file with the key inside a line", "note=uri=docker://a\n", undefined],
];
for (const [title, text, uri] of files) {
  test(`${title} names ${uri ?? "no source"}`, () => {
    assert.equal(parseSource(text), uri);
  });
}

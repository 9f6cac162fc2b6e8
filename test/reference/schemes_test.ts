/** The table of schemes: complete, in agreement with itself and with the transports. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../../lib/reference/parse_reference.ts";
import { SCHEME_FACTS } from "../../lib/reference/scheme_facts.ts";
import { SCHEMES } from "../../lib/reference/schemes.ts";
import { OPENERS } from "../../lib/transport/open_source.ts";

const ENTRIES = Object.entries(SCHEMES);

test("every scheme has its facts and its transport, and neither has more", () => {
  const schemes = Object.keys(SCHEMES).sort();
  assert.deepEqual(Object.keys(SCHEME_FACTS).sort(), schemes);
  assert.deepEqual(Object.keys(OPENERS).sort(), schemes);
});

for (const [scheme, { prefix, form, otherForm, example, repository }] of ENTRIES) {
  test(`the example of ${scheme} is a reference of that scheme`, () => {
    assert.equal(parseReference(example).scheme, scheme);
  });

  test(`all forms of ${scheme} begin with its prefix`, () => {
    for (const text of [form, otherForm?.form, repository?.form, example]) {
      assert(text === undefined || text.startsWith(prefix), `${text}`);
    }
  });
}

test("schemes with a path say which files make their images out of date", () => {
  for (const [scheme, { example, hasPath, localFiles }] of ENTRIES) {
    assert.equal(localFiles !== undefined, hasPath === true, scheme);
    if (localFiles === undefined) continue;
    const reference = parseReference(example);
    assert("path" in reference, scheme);
    assert.equal(localFiles(reference as never)[0], reference.path);
  }
});

test("the files of a layout and of a directory count beside the directory itself", () => {
  assert.deepEqual(SCHEMES.oci.localFiles?.({ scheme: "oci", path: "/a" }), [
    "/a",
    "/a/index.json",
  ]);
  assert.deepEqual(SCHEMES.dir.localFiles?.({ scheme: "dir", path: "/a" }), [
    "/a",
    "/a/manifest.json",
  ]);
});

/** Tags that are made from digests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cosignTags,
  isReferrersTag,
  isReferrerTag,
  referrersTag,
  refersByTag,
} from "../../lib/oci/referrer_tags.ts";

const SHA256 = `sha256:${"a".repeat(64)}`;
const SHA512 = `sha512:${"b".repeat(128)}`;

test("the tag of a list of referrers has 64 digits at most", () => {
  assert.equal(referrersTag(SHA256), `sha256-${"a".repeat(64)}`);
  assert.equal(referrersTag(SHA512), `sha512-${"b".repeat(64)}`);
});

test("cosign's tags have a suffix, and a digest that is too long for a tag has none", () => {
  const tags = ["sig", "att", "sbom"].map((suffix) => `sha256-${"a".repeat(64)}.${suffix}`);
  assert.deepEqual(cosignTags(SHA256), tags);
  assert.deepEqual(cosignTags(SHA512), []);
});

test("tags of signatures are no images", () => {
  const hex = "a".repeat(64);
  assert.ok(isReferrerTag(`sha256-${hex}`));
  assert.ok(isReferrerTag(`sha256-${hex}.sig`));
  assert.ok(!isReferrerTag("sha256-abc"));
  assert.ok(!isReferrerTag("latest"));
  assert.ok(isReferrersTag(`sha256-${hex}`));
  assert.ok(!isReferrersTag(`sha256-${hex}.sig`));
});

test("a tag that is made from a digest refers to that document alone", () => {
  for (const digest of [SHA256, SHA512]) {
    assert.ok(refersByTag(referrersTag(digest), digest));
    for (const tag of cosignTags(digest)) assert.ok(refersByTag(tag, digest));
    assert.ok(!refersByTag(referrersTag(digest), `sha256:${"c".repeat(64)}`));
  }
});

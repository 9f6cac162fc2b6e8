/** Tests which entries of an index can be used, and that broken ones spoil only themselves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { choosePlatform, formatPlatform } from "../../lib/oci/choose_platform.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_types.ts";
import { parseIndex } from "../../lib/oci/parse_manifest.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function errorOf(action: () => unknown): DenrootError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof DenrootError, String(error));
    return error;
  }
  throw new Error("No error was thrown");
}

test("an index is read, with the platforms of its entries", () => {
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const entry = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 1, platform };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] };
  assert.deepEqual(parseIndex(bytes(index)), { mediaType: OCI_INDEX, manifests: [entry] });
});

test("a manifest where an index is expected is refused", () => {
  assert.match(
    errorOf(() => parseIndex(bytes({ schemaVersion: 2, layers: [], config: GOOD }))).message,
    /An index was expected/,
  );
});

const AMD64 = { os: "linux", architecture: "amd64" };
const GOOD = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 1, platform: AMD64 };

/** [what is wrong, the entry, the reason] */
const BROKEN_ENTRIES: readonly (readonly [what: string, entry: unknown, reason: RegExp])[] = [
  ["null", null, /manifest 1 is invalid: it must be an object/],
  ["a number", 5, /it must be an object/],
  ["empty", {}, /"digest" must be a string/],
  ["a sha384 digest", { ...GOOD, digest: `sha384:${HEX}` }, /of the algorithm sha384;/],
  ["a blake3 digest", { ...GOOD, digest: `blake3:${HEX}` }, /of the algorithm blake3;/],
  [
    "a digest that is a path",
    { ...GOOD, digest: "sha256:../.." },
    /"sha256:..\/.." is not a digest/,
  ],
  ["no size", { ...GOOD, size: undefined }, /"size" must be a whole number/],
  ["a size in text", { ...GOOD, size: "1" }, /"size" must be a whole number/],
  ["a media type that is a number", { ...GOOD, mediaType: 1 }, /"mediaType" must be a string/],
  ["a platform in text", { ...GOOD, platform: "linux/amd64" }, /"platform" must be an object/],
  ["an os that is a number", { ...GOOD, platform: { ...AMD64, os: 1 } }, /"os" must be a string/],
  ["urls in text", { ...GOOD, urls: "x" }, /"urls" must be an array/],
];

for (const [what, entry, reason] of BROKEN_ENTRIES) {
  test(`an entry that is or has ${what} spoils only itself`, () => {
    const good = { ...GOOD, platform: { os: "linux", architecture: "s390x" } };
    const { manifests } = parseIndex(bytes({ schemaVersion: 2, manifests: [entry, good] }));
    assert.deepEqual(choosePlatform(manifests, good.platform), good);
    const [broken] = manifests;
    assert.match(broken!.fault!.message, reason);
    assert.match(errorOf(() => choosePlatform(manifests, AMD64)).message, reason);
    assert.match(errorOf(() => choosePlatform([broken!], AMD64)).message, reason);
  });
}

test("a usable entry is preferred to a broken one for the same platform", () => {
  const broken = { ...GOOD, digest: `blake3:${HEX}` };
  const { manifests } = parseIndex(bytes({ schemaVersion: 2, manifests: [broken, GOOD] }));
  assert.deepEqual(choosePlatform(manifests, AMD64), GOOD);
});

test("annotations of odd types are left out, and their entry is used", () => {
  for (const annotations of [{ a: 1, b: "x", c: null }, [], "text", 7]) {
    const { manifests } = parseIndex(
      bytes({ schemaVersion: 2, manifests: [{ ...GOOD, annotations }] }),
    );
    const { annotations: kept = {}, ...rest } = choosePlatform(manifests, AMD64);
    assert.deepEqual([rest, kept], [
      GOOD,
      Array.isArray(annotations) ||
        typeof annotations !== "object"
        ? {}
        : { b: "x" },
    ]);
  }
});

/** [os, architecture, variant, the platform] */
const SPELLINGS = [
  ["Linux", "x86_64", undefined, "linux/amd64"],
  ["linux", "AMD64", undefined, "linux/amd64"],
  ["linux", "aarch64", undefined, "linux/arm64"],
  ["LINUX", "AArch64", "8", "linux/arm64/v8"],
  ["linux", "arm", "V7", "linux/arm/v7"],
  ["linux", "armv7l", undefined, "linux/arm/v7"],
  ["linux", "ppc64el", undefined, "linux/ppc64le"],
  ["linux", "NewArch", undefined, "linux/newarch"],
  ["Unknown", "Unknown", undefined, "unknown/unknown"],
] as const;

for (const [os, architecture, variant, expected] of SPELLINGS) {
  test(`an entry for ${os}/${architecture}/${variant ?? ""} is one for ${expected}`, () => {
    const entry = { ...GOOD, platform: { os, architecture, variant } };
    const [parsed] = parseIndex(bytes({ schemaVersion: 2, manifests: [entry] })).manifests;
    assert.equal(formatPlatform(parsed!.platform!), expected);
  });
}

test("a list that is null is empty, as Go writes it", () => {
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: null };
  assert.deepEqual(parseIndex(bytes(index)).manifests, []);
});

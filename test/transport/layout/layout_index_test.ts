/** The names of images that are written into a layout, by many at once. */

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FULL_NAME } from "../../../lib/transport/layout/choose_entries.ts";
import { openLayoutDestination } from "../../../lib/transport/layout/destination.ts";
import { MAX_INDEX_ENTRIES, MAX_MANIFEST_SIZE } from "../../../lib/oci/parse_manifest.ts";
import { blobOf, isError, NEVER } from "../registry/registry_fixture.ts";
import {
  changeIndex,
  digestIn,
  imageOf,
  indexOf,
  NAMED,
  names,
  newLayout,
  withoutFullName,
  write,
} from "./destination_fixture.ts";

test("a tag moves to the new image, other tags and unknown fields stay", async () => {
  const path = newLayout();
  const [first, second] = [imageOf("first"), imageOf("second")];
  await write(path, first, "moves");
  await write(path, first, "stays");
  changeIndex(path, { annotations: { made: "by hand" } });
  await write(path, second, "moves");
  assert.equal(await digestIn(path, "moves"), second.document.digest);
  assert.equal(await digestIn(path, "stays"), first.document.digest);
  assert.deepEqual(indexOf(path).annotations, { made: "by hand" });
});

test("an image that lost its tag stays listed, once, and may get a tag again", async () => {
  const path = newLayout();
  const [first, second] = [imageOf("first"), imageOf("second")];
  const platform = { os: "linux", architecture: "amd64" };
  await write(path, first, "v1");
  const [entry] = indexOf(path).manifests;
  const annotations = { ...entry!.annotations, [FULL_NAME]: "example.org/app:1" };
  changeIndex(path, {
    manifests: [{ ...entry, platform, annotations: { ...annotations, a: "b" } }],
  });
  await write(path, second, "v1");
  assert.deepEqual(names(path), [undefined, "v1"]);
  assert.equal(indexOf(path).manifests[0]!.annotations![FULL_NAME], "example.org/app:1");
  await write(path, first, "v0");
  assert.deepEqual(names(path), [undefined, "v1", "v0"], "an entry with a full name is another's");
  changeIndex(path, { manifests: indexOf(path).manifests.map(withoutFullName) });
  for (let round = 0; round < 2; round++) await write(path, first, "v2");
  assert.deepEqual(names(path), ["v1", "v0", "v2"]);
  const again = indexOf(path).manifests[2]!;
  assert.deepEqual([again.platform, again.annotations!.a], [platform, "b"]);
});

test("a destination knows which image has its name", async () => {
  const path = newLayout();
  const [first, second] = [imageOf("first"), imageOf("second")];
  const reference = { scheme: "oci" as const, path, tag: "v1" };
  await using layout = await openLayoutDestination(reference, { signal: NEVER });
  assert.equal(await layout.current(NEVER), undefined);
  for (const image of [first, second]) {
    await write(path, image, "v1");
    assert.equal(await layout.current(NEVER), image.document.digest);
  }
  const nameless = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  assert.equal(await nameless.current(NEVER), undefined);
});

test("an image without a tag is listed once, however often it is written", async () => {
  const path = newLayout();
  const image = imageOf("untagged");
  await write(path, image);
  await write(path, image);
  assert.equal(await digestIn(path), image.document.digest);
  assert.equal(indexOf(path).manifests.length, 1);
});

test("an image with another digest than the reference's gets no name", async () => {
  const path = newLayout();
  const { document } = imageOf();
  const reference = { scheme: "oci", path, digest: blobOf("other").digest } as const;
  await using layout = await openLayoutDestination(reference, { signal: NEVER });
  await layout.putDocument(document, NEVER);
  await assert.rejects(
    layout.commit(document, NAMED, NEVER),
    isError("digest", /has the digest sha256/),
  );
  assert.ok(!existsSync(join(path, "index.json")));
});

test("an image keeps its tag when it is written again without one", async () => {
  const path = newLayout();
  const image = imageOf("both");
  await write(path, image, "v1");
  await write(path, image);
  assert.equal(indexOf(path).manifests.length, 1);
  assert.equal(await digestIn(path, "v1"), image.document.digest);
});

test("the marker of a layout stays as another program wrote it", async () => {
  const path = newLayout();
  const marker = '{ "imageLayoutVersion": "1.0.0" }\n';
  mkdirSync(path);
  writeFileSync(join(path, "oci-layout"), marker);
  await write(path, imageOf("marked"), "v1");
  assert.equal(readFileSync(join(path, "oci-layout"), "utf8"), marker);
});

test("an index that cannot be read or is invalid is an error, and it stays", async () => {
  const path = newLayout();
  await write(path, imageOf("first"), "v1");
  const file = join(path, "index.json");
  const invalid = '{"schemaVersion":2,"manifests":5}';
  writeFileSync(file, invalid);
  const again = () => write(path, imageOf("second"), "v2");
  await assert.rejects(again, isError("manifest", /index\.json": .*"manifests" must be an array/));
  assert.equal(readFileSync(file, "utf8"), invalid);
  rmSync(file);
  symlinkSync("index.json", file);
  await assert.rejects(again, isError("file", /cannot be read: ELOOP/));
  assert.ok(lstatSync(file).isSymbolicLink());
});

test("many writers at once lose nobody's tag", async () => {
  const path = newLayout();
  const tags = Array.from({ length: 12 }, (_, index) => `v${index}`);
  await Promise.all(tags.map((tag) => write(path, imageOf("shared", tag), tag)));
  for (const tag of tags) {
    assert.equal(await digestIn(path, tag), imageOf("shared", tag).document.digest);
  }
  assert.deepEqual(readdirSync(path).sort(), ["blobs", "index.json", "oci-layout"]);
});

test("an index that would be too large to be read again is not written", async () => {
  const path = newLayout();
  const image = imageOf("large");
  await write(path, image, "v1");
  const [entry] = indexOf(path).manifests;
  const manifests = Array.from({ length: MAX_INDEX_ENTRIES }, () => entry);
  changeIndex(path, { manifests });
  await assert.rejects(write(path, image, "v2"), isError("limit", /10001 manifests/));
  changeIndex(path, { manifests: [entry], filler: "x".repeat(MAX_MANIFEST_SIZE - 500) });
  await assert.rejects(write(path, image, "v2"), isError("limit", /larger than 8 MiB/));
  assert.deepEqual(names(path), ["v1"]);
});

/** Tests of image layouts in directories, including hostile ones. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { blobPath, digestOf } from "../../../lib/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { OciReference } from "../../../lib/types/reference.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { bytesOf } from "../local_content.ts";
import {
  AMD64,
  blobOf,
  indexText,
  isError,
  LAYER,
  makeSettings,
  MANIFEST,
  MANIFEST_DIGEST,
  manifestText,
  NEVER,
  NO_BLOBS,
} from "../registry/registry_fixture.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("layout");
let layouts = 0;

const ARM64 = { os: "linux", architecture: "arm64" };
const OTHER = manifestText({ annotations: { other: "yes" } });
const OTHER_DIGEST = digestOf(Buffer.from(OTHER));

interface Entry {
  readonly text: string;
  readonly tag?: string;
  readonly platform?: object;
  readonly mediaType?: string;
}

/** Makes a layout that has the entries in its index.json, and all blobs that they need. */
function layout(entries: readonly Entry[], more: readonly (string | Uint8Array)[] = []): string {
  const root = join(scratch, `${layouts++}`);
  mkdirSync(join(root, "blobs/sha256"), { recursive: true });
  writeFileSync(join(root, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  for (const content of [...entries.map(({ text }) => text), "a layer", ...more]) {
    const bytes = Buffer.from(content);
    writeFileSync(join(root, blobPath(digestOf(bytes))), bytes);
  }
  const manifests = entries.map(({ text, tag, platform, mediaType }) => ({
    ...blobOf(text),
    mediaType: mediaType ?? OCI_MANIFEST,
    ...(platform && { platform }),
    ...(tag && { annotations: { "org.opencontainers.image.ref.name": tag } }),
  }));
  writeFileSync(join(root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return root;
}

function open(path: string, rest: Partial<OciReference> = {}) {
  const context = { settings: makeSettings(), blobs: NO_BLOBS, platform: AMD64, signal: NEVER };
  return openSource({ scheme: "oci", path, ...rest }, context);
}

async function resolved(path: string, rest: Partial<OciReference> = {}): Promise<string> {
  await using source = await open(path, rest);
  return (await resolveImage(source, AMD64, NEVER)).digest;
}

test("the only image of a layout needs no tag", async () => {
  const path = layout([{ text: MANIFEST, tag: "any" }]);
  await using source = await open(path);
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  assert.equal(source.uri, `oci:${path}`);
});

test("a tag chooses one of several images, also when the layout has full names", async () => {
  const path = layout([{ text: OTHER, tag: "one" }, { text: MANIFEST, tag: "reg.io/app:two" }]);
  assert.equal(await resolved(path, { tag: "one" }), OTHER_DIGEST);
  assert.equal(await resolved(path, { tag: "two" }), MANIFEST_DIGEST);
  assert.equal(await resolved(path, { tag: "reg.io/app:two" }), MANIFEST_DIGEST);
});

test("without a tag, several images give an error that lists the tags", async () => {
  const path = layout([{ text: OTHER, tag: "one" }, { text: MANIFEST, tag: "two" }]);
  await assert.rejects(
    resolved(path),
    isError("reference", /holds 2 images, .* fits several of them; it has the tags one, two$/),
  );
  await assert.rejects(
    resolved(path, { tag: "three" }),
    isError("not_found", /has no tag "three"; it has the tags one, two$/),
  );
});

test("a layout with one tag says it in the singular", async () => {
  const path = layout([{ text: MANIFEST, tag: "one" }]);
  await assert.rejects(
    resolved(path, { tag: "two" }),
    isError("not_found", /has no tag "two"; it has the tag one$/),
  );
});

test("of many tags those nearest to the wrong one are listed, and the command for all", async () => {
  const entries = Array.from(
    { length: 40 },
    (_, index) => ({ text: MANIFEST, tag: `v${index}.0` }),
  );
  const error = await resolved(layout(entries), { tag: "v39" }).catch((error: Error) => error);
  assert.ok(error instanceof DenrootError);
  assert.match(error.message, /it has the tags v39\.0, .* and 20 more$/);
  assert.equal(error.hint, "denroot tags oci:PATH lists all tags");
});

test("entries that cannot be used do not hide the one that can", async () => {
  const path = layout([{ text: MANIFEST, tag: "good" }]);
  const file = join(path, "index.json");
  const index = JSON.parse(readFileSync(file, "utf8"));
  const annotations = { "org.opencontainers.image.ref.name": "bad", odd: 5 };
  const broken = { ...index.manifests[0], digest: `blake3:${"0".repeat(64)}`, annotations };
  index.manifests.unshift(broken, null);
  writeFileSync(file, JSON.stringify(index));
  assert.equal(await resolved(path), MANIFEST_DIGEST);
  assert.equal(await resolved(path, { tag: "good" }), MANIFEST_DIGEST);
  assert.equal(await resolved(path, { index: 2 }), MANIFEST_DIGEST);
  await assert.rejects(resolved(path, { tag: "bad" }), isError("unsupported", /algorithm blake3;/));
  await assert.rejects(resolved(path, { index: 1 }), isError("manifest", /must be an object$/));
});

test("a manifest of another size than the index says is refused", async () => {
  const path = layout([{ text: MANIFEST }]);
  const file = join(path, "index.json");
  const index = JSON.parse(readFileSync(file, "utf8"));
  index.manifests[0].size += 1;
  writeFileSync(file, JSON.stringify(index));
  await assert.rejects(
    resolved(path),
    isError("manifest", /has \d+ bytes, but the index that names it says \d+$/),
  );
});

test("an image in a special format beside the ordinary one is not taken for a second one", async () => {
  const features = ["nydus.remoteimage.v1"];
  const entries = [
    { text: OTHER, tag: "t", platform: { ...AMD64, "os.features": features } },
    { text: MANIFEST, tag: "t", platform: AMD64 },
  ];
  assert.equal(await resolved(layout(entries)), MANIFEST_DIGEST);
});

test("entries for different platforms under one tag count as one image", async () => {
  const entries = [
    { text: OTHER, tag: "t", platform: ARM64 },
    { text: MANIFEST, tag: "t", platform: AMD64 },
  ];
  assert.equal(await resolved(layout(entries), { tag: "t" }), MANIFEST_DIGEST);
  assert.equal(await resolved(layout(entries)), MANIFEST_DIGEST);
});

test("an index inside the layout is followed to the platform's manifest", async () => {
  const inner = indexText([[OTHER, ARM64], [MANIFEST, AMD64]]);
  const outer = indexText([[inner, AMD64, OCI_INDEX]]);
  const path = layout([{ text: outer, mediaType: OCI_INDEX }], [inner, OTHER, MANIFEST]);
  assert.equal(await resolved(path), MANIFEST_DIGEST);
});

test("a digest names any manifest of the layout", async () => {
  const path = layout([{ text: OTHER, tag: "one" }], [MANIFEST]);
  assert.equal(await resolved(path, { digest: MANIFEST_DIGEST }), MANIFEST_DIGEST);
  const missing = digestOf(Buffer.from("missing"));
  await assert.rejects(resolved(path, { digest: missing }), isError("not_found", /has no blob/));
});

test("blobs are read where they are", async () => {
  const path = layout([{ text: MANIFEST }]);
  await using source = await open(path);
  assert.equal(bytesOf(source, LAYER).toString(), "a layer");
  assert.deepEqual(source.place?.(LAYER), {
    type: "file",
    path: join(path, blobPath(LAYER.digest)),
    offset: 0,
    checkedBy: "digest",
  });
});

test("THE LAYOUT READ A FILE OUTSIDE OF IT: a blob that is a link is refused", async () => {
  const path = layout([{ text: MANIFEST }]);
  const secret = join(scratch, "secret");
  writeFileSync(secret, "a layer");
  const blob = join(path, blobPath(LAYER.digest));
  rmSync(blob);
  symlinkSync(secret, blob);
  await using source = await open(path);
  assert.throws(() => source.place?.(LAYER), isError("file", /leads out of the directory/));
});

test("a link to the layout is followed", async () => {
  const path = layout([{ text: MANIFEST }], ["elsewhere"]);
  symlinkSync(path, `${path}-link`);
  await using source = await open(`${path}-link`);
  assert.equal(bytesOf(source, LAYER).toString(), "a layer");
});

test("a blob that is missing, has another size or is not a file gives an error", async () => {
  const path = layout([{ text: MANIFEST }]);
  await using source = await open(path);
  assert.throws(
    () => source.place?.({ ...LAYER, size: 100 }),
    isError("file", /has 7 bytes instead of 100/),
  );
  assert.throws(() => source.place?.(blobOf("nothing")), isError("not_found", /has no blob/));
  rmSync(join(path, blobPath(LAYER.digest)));
  mkdirSync(join(path, blobPath(LAYER.digest)));
  assert.throws(() => source.place?.(LAYER), isError("file", /not a regular file/));
});

test("a manifest that was changed is refused", async () => {
  const path = layout([{ text: MANIFEST }]);
  writeFileSync(join(path, blobPath(MANIFEST_DIGEST)), OTHER);
  await assert.rejects(resolved(path), isError("digest", /instead of/));
});

test("a path that is not a layout is refused with a message that says so", async () => {
  await assert.rejects(open(scratch), isError("not_found", /is not an OCI image layout/));
  await assert.rejects(
    open(join(scratch, "none")),
    isError("not_found", /".+none" does not exist$/),
  );
  await assert.rejects(open("/dev/null"), isError("file", /"\/dev\/null" is not a directory$/));
});

test("a layout that is empty, has no index or has another version gives an error", async () => {
  const path = layout([]);
  await assert.rejects(resolved(path), isError("not_found", /is empty/));
  rmSync(join(path, "index.json"));
  await assert.rejects(resolved(path), isError("not_found", /index\.json" does not exist/));
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
  await assert.rejects(open(path), isError("unsupported", /version "2\.0\.0"/));
});

test("a layout of a later version 1 is read", async () => {
  const path = layout([{ text: MANIFEST }]);
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.1.0"}');
  assert.equal(await resolved(path), MANIFEST_DIGEST);
});

test("two images with one tag and without platforms are ambiguous", async () => {
  const path = layout([{ text: MANIFEST, tag: "v1" }, { text: OTHER, tag: "v1" }]);
  await assert.rejects(resolved(path, { tag: "v1" }), isError("reference", /fits several of them/));
});

test("a manifest or marker that is far too large is not read", async () => {
  const path = layout([{ text: MANIFEST }]);
  truncateSync(join(path, blobPath(MANIFEST_DIGEST)), 9 * 1024 * 1024);
  await assert.rejects(resolved(path), isError("limit", /is larger than 8192 KiB$/));
  truncateSync(join(path, "oci-layout"), 9 * 1024 * 1024);
  await assert.rejects(resolved(path), isError("limit", /oci-layout" is larger than \d+ KiB$/));
});

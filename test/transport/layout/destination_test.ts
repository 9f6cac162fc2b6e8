/** Images that are written into a layout: whole, verified, under their names, by many at once. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { blobPath, digestOf } from "../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { FULL_NAME, REF_NAME } from "../../../lib/transport/layout/choose_entries.ts";
import { openLayoutDestination } from "../../../lib/transport/layout/destination.ts";
import { MAX_INDEX_ENTRIES, MAX_MANIFEST_SIZE } from "../../../lib/oci/parse_manifest.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { Descriptor, StoredDocument } from "../../../lib/types/image.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import {
  AMD64,
  blobOf,
  isError,
  makeSettings,
  NEVER,
  NO_BLOBS,
} from "../registry/registry_fixture.ts";

const scratch = scratchDirectory("destination");
const CONFIG = "{}";
let layouts = 0;

interface Image {
  readonly blobs: readonly string[];
  readonly document: StoredDocument;
}

function imageOf(...layers: readonly string[]): Image {
  const bytes = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { ...blobOf(CONFIG), mediaType: OCI_CONFIG },
    layers: layers.map((layer) => blobOf(layer)),
  }));
  const document = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
  return { blobs: [CONFIG, ...layers], document };
}

function newLayout(): string {
  return join(scratch, `layout-${++layouts}`);
}

async function* inPieces(text: string, size = 3): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

async function write(path: string, { blobs, document }: Image, tag?: string): Promise<void> {
  const reference = { scheme: "oci" as const, path, ...(tag !== undefined && { tag }) };
  await using layout = await openLayoutDestination(reference, { signal: NEVER });
  for (const blob of blobs) await layout.putBlob(blobOf(blob), () => inPieces(blob), NEVER);
  await layout.putDocument(document, NEVER);
  await layout.commit(document, NEVER);
}

async function digestIn(path: string, tag?: string): Promise<string> {
  const context = { settings: makeSettings(), blobs: NO_BLOBS, platform: AMD64, signal: NEVER };
  const reference = { scheme: "oci" as const, path, ...(tag !== undefined && { tag }) };
  await using source = await openSource(reference, context);
  return (await resolveImage(source, AMD64, NEVER)).digest;
}

function indexOf(path: string): { manifests: Descriptor[]; [field: string]: unknown } {
  return JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
}

function changeIndex(path: string, changes: object): void {
  writeFileSync(join(path, "index.json"), JSON.stringify({ ...indexOf(path), ...changes }));
}

function names(path: string): (string | undefined)[] {
  return indexOf(path).manifests.map(({ annotations }) => annotations?.[REF_NAME]);
}

function withoutFullName(entry: Descriptor): Descriptor {
  const { [FULL_NAME]: _, ...annotations } = entry.annotations ?? {};
  return { ...entry, annotations };
}

test("a written image is read back under its tag, and every blob is byte for byte", async () => {
  const path = newLayout();
  const image = imageOf("one", "two");
  await write(path, image, "v1");
  assert.equal(await digestIn(path, "v1"), image.document.digest);
  for (const blob of image.blobs) {
    assert.equal(readFileSync(join(path, blobPath(blobOf(blob).digest)), "utf8"), blob);
  }
  assert.deepEqual(readdirSync(path).sort(), ["blobs", "index.json", "oci-layout"]);
});

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

test("a destination that is not committed shows nothing new", async () => {
  const path = newLayout();
  const image = imageOf("kept");
  const reference = { scheme: "oci" as const, path, tag: "v1" };
  {
    await using layout = await openLayoutDestination(reference, { signal: NEVER });
    for (const blob of image.blobs) await layout.putBlob(blobOf(blob), () => inPieces(blob), NEVER);
    await layout.putDocument(image.document, NEVER);
  }
  assert.ok(!existsSync(join(path, "oci-layout")) && !existsSync(join(path, "index.json")));
  await using again = await openLayoutDestination(reference, { signal: NEVER });
  assert.ok(await again.hasBlob(blobOf("kept"), NEVER), "the next attempt does not find the blob");
  assert.ok(!await again.hasBlob(blobOf("never put"), NEVER));
  assert.ok(!await again.hasBlob(blobOf("kept", { size: 5 }), NEVER), "a part is not the blob");
});

test("wrong bytes are refused, and nothing of them stays", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const refused: readonly (readonly [bytes: string, message: RegExp])[] = [
    ["wrong", /came as sha256:/],
    ["right and more", /came with more than 5 bytes/],
    ["righ", /came with 4 bytes, not 5/],
  ];
  for (const [bytes, message] of refused) {
    const put = layout.putBlob(blobOf("right"), () => inPieces(bytes), NEVER);
    await assert.rejects(put, isError("digest", message));
  }
  const { document } = imageOf();
  const other = { ...document, bytes: Buffer.from("{}") };
  await assert.rejects(layout.putDocument(other, NEVER), isError("digest", /instead of/));
  assert.deepEqual(readdirSync(path), []);
});

test("an interrupted blob leaves nothing", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const stop = new AbortController();
  async function* stopping(): AsyncIterable<Uint8Array> {
    yield* inPieces("ri");
    stop.abort();
    yield* inPieces("ght");
  }
  const put = layout.putBlob(blobOf("right"), stopping, stop.signal);
  await assert.rejects(put, isError("aborted", /./));
  assert.deepEqual(readdirSync(path), []);
});

test("a source that does not end is stopped at the blob's size", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  let pieces = 0;
  async function* endless(): AsyncIterable<Uint8Array> {
    for (; pieces < 1000; pieces++) yield* inPieces("again");
  }
  const put = layout.putBlob(blobOf("right"), endless, NEVER);
  await assert.rejects(put, isError("digest", /more than 5 bytes/));
  assert.ok(pieces < 3);
});

test("an error of the blob's source comes through unchanged", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const error = Object.assign(new Error("the source's disk is full"), { code: "ENOSPC" });
  // deno-lint-ignore require-yield
  async function* failing(): AsyncIterable<Uint8Array> {
    throw await Promise.resolve(error);
  }
  await assert.rejects(
    layout.putBlob(blobOf("right"), failing, NEVER),
    (thrown) => thrown === error,
  );
});

test("a name without its image is a mistake of the program", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  await assert.rejects(layout.commit(imageOf().document, NEVER), TypeError);
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

test("what is no place for a new image is refused before anything is written", async () => {
  const full = newLayout();
  mkdirSync(full);
  writeFileSync(join(full, "notes.txt"), "mine");
  const open = (reference: object) =>
    openLayoutDestination({ scheme: "oci", path: full, ...reference }, { signal: NEVER });
  await assert.rejects(open({}), isError("exists", /has files in it and is no OCI image layout/));
  await assert.rejects(open({ index: 0 }), isError("reference", /no position/));
  const path = join(full, "notes.txt");
  await assert.rejects(open({ path }), isError("file", /cannot be written/));
  assert.deepEqual(readdirSync(full), ["notes.txt"]);
});

test("a first writer that was killed at its end, or is there just now, stops no other", async () => {
  const path = newLayout();
  mkdirSync(join(path, "blobs"), { recursive: true });
  writeFileSync(join(path, ".denroot-index.lock"), "");
  writeFileSync(join(path, ".denroot-other-host.1.1.00000000.tmp"), "");
  await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
});

test("a layout of an unknown version is not changed", async () => {
  const path = newLayout();
  mkdirSync(path);
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
  const opening = openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  await assert.rejects(opening, isError("unsupported", /only version 1/));
});

test("nothing is written through a link that leads out, and such blobs do not count", async () => {
  const [path, outside] = [newLayout(), newLayout()];
  await write(path, imageOf("linked"), "v1");
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  renameSync(join(path, "blobs"), outside);
  symlinkSync(outside, join(path, "blobs"));
  const out = isError("file", /leads out of the directory/);
  await assert.rejects(layout.hasBlob(blobOf("linked"), NEVER), out);
  await assert.rejects(layout.putBlob(blobOf("new"), () => inPieces("new"), NEVER), out);
  assert.ok(!existsSync(join(outside, blobPath(blobOf("new").digest).replace("blobs/", ""))));
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

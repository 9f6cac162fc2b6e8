/** Images that are written into a layout: whole, verified, under their names, by many at once. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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
import { blobPath, digestOf } from "../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { processMark } from "../../../lib/system/files/process_mark.ts";
import { openLayoutDestination } from "../../../lib/transport/layout/destination.ts";
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
  for (const blob of blobs) await layout.putBlob(blobOf(blob), inPieces(blob), NEVER);
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
  const file = join(path, "index.json");
  writeFileSync(file, JSON.stringify({ ...indexOf(path), annotations: { made: "by hand" } }));
  await write(path, second, "moves");
  assert.equal(await digestIn(path, "moves"), second.document.digest);
  assert.equal(await digestIn(path, "stays"), first.document.digest);
  assert.deepEqual(indexOf(path).annotations, { made: "by hand" });
  assert.equal(indexOf(path).manifests.length, 2);
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
    for (const blob of image.blobs) await layout.putBlob(blobOf(blob), inPieces(blob), NEVER);
    await layout.putDocument(image.document, NEVER);
  }
  assert.ok(!existsSync(join(path, "oci-layout")) && !existsSync(join(path, "index.json")));
  await using again = await openLayoutDestination(reference, { signal: NEVER });
  assert.ok(await again.has(blobOf("kept"), NEVER), "the next attempt does not find the blob");
  assert.ok(!await again.has(blobOf("never put"), NEVER));
});

test("wrong bytes are refused, and nothing of them stays", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const refused: readonly (readonly [bytes: string, message: RegExp])[] = [
    ["wrong", /came as sha256:/],
    ["right and more", /came with 14 bytes, not 5/],
    ["righ", /came with 4 bytes, not 5/],
  ];
  for (const [bytes, message] of refused) {
    const put = layout.putBlob(blobOf("right"), inPieces(bytes), NEVER);
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
  const put = layout.putBlob(blobOf("right"), stopping(), stop.signal);
  await assert.rejects(put, isError("aborted", /./));
  assert.deepEqual(readdirSync(path), []);
});

test("a blob with another size does not count as the blob", async () => {
  const path = newLayout();
  await write(path, imageOf("whole"), "v1");
  writeFileSync(join(path, blobPath(blobOf("whole").digest)), "cut");
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  assert.ok(!await layout.has(blobOf("whole"), NEVER));
});

test("what a killed writer left is removed when the layout is opened", async () => {
  const path = newLayout();
  mkdirSync(path);
  const dead = processMark().replace(/\.\d+\.(\w+)$/, ".1.$1");
  writeFileSync(join(path, `.denroot-${dead}.tmp`), "half a blob");
  await using _layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  assert.deepEqual(readdirSync(path), []);
});

test("an abort ends the writing of a document too", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const put = layout.putDocument(imageOf().document, AbortSignal.abort());
  await assert.rejects(put, isError("aborted", /./));
  assert.deepEqual(readdirSync(path), []);
});

test("an image with another digest than the reference's gets no name", async () => {
  const path = newLayout();
  const { document } = imageOf();
  const reference = { scheme: "oci", path, digest: blobOf("other").digest } as const;
  await using layout = await openLayoutDestination(reference, { signal: NEVER });
  await layout.putDocument(document, NEVER);
  await assert.rejects(layout.commit(document, NEVER), isError("digest", /has the digest sha256/));
  assert.ok(!existsSync(join(path, "index.json")));
});

test("an image keeps its tag when it is written again without one", async () => {
  const path = newLayout();
  const image = imageOf("both");
  await write(path, image, "v1");
  await write(path, image);
  assert.equal(indexOf(path).manifests.length, 2);
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
  const invalid = '{"schemaVersion":2,"manifests":[{}]}';
  writeFileSync(file, invalid);
  const again = () => write(path, imageOf("second"), "v2");
  await assert.rejects(again, isError("manifest", /index\.json": .*"digest" must be a string/));
  assert.equal(readFileSync(file, "utf8"), invalid);
  rmSync(file);
  symlinkSync("index.json", file);
  await assert.rejects(again, isError("file", /cannot be written: ELOOP/));
  assert.ok(lstatSync(file).isSymbolicLink());
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

/** Images that are written into a layout: whole, verified, or not at all. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs, {
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
import { blobPath } from "../../../lib/oci/digest.ts";
import { deadMark } from "../../helpers/dead_mark.ts";
import { openLayoutDestination } from "../../../lib/transport/layout/destination.ts";
import { blobOf, isError, NEVER } from "../registry/registry_fixture.ts";
import { digestIn, imageOf, inPieces, NAMED, newLayout, write } from "./destination_fixture.ts";

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

test("a blob with another size does not count as the blob", async () => {
  const path = newLayout();
  await write(path, imageOf("whole"), "v1");
  writeFileSync(join(path, blobPath(blobOf("whole").digest)), "cut");
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  assert.ok(!await layout.hasBlob(blobOf("whole"), NEVER));
});

test("what a killed writer left is removed when the layout is opened", async () => {
  const path = newLayout();
  mkdirSync(path);
  writeFileSync(join(path, `.denroot-${deadMark()}.tmp`), "half a blob");
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

test("a disk that is full is an error of its own", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  const { mkdirSync: real } = fs;
  for (const code of ["ENOSPC", "EDQUOT"]) {
    fs.mkdirSync = () => {
      throw Object.assign(new Error("no room"), { code });
    };
    try {
      const put = layout.putDocument(imageOf().document, NEVER);
      await assert.rejects(put, isError("space", /^There is no room left in /));
    } finally {
      fs.mkdirSync = real;
    }
  }
});

test("a name without its image is a mistake of the program", async () => {
  const path = newLayout();
  await using layout = await openLayoutDestination({ scheme: "oci", path }, { signal: NEVER });
  await assert.rejects(layout.commit(imageOf().document, NAMED, NEVER), TypeError);
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

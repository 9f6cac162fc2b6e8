/** Small blobs are read from where they are, verified, and not larger than allowed. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { readBlob, readStretch } from "../../lib/store/read_blob.ts";
import { blobPath, digestOf } from "../../lib/oci/digest.ts";
import type { ImageSource } from "../../lib/types/source.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("read-blob");
const content = new TextEncoder().encode('{"a": "configuration"}');
const descriptor = { mediaType: "", digest: digestOf(content), size: content.length };
const other = new Uint8Array(content.length);
let caches = 0;

function read(
  source: Partial<ImageSource>,
  options: { maxBytes?: number; cached?: Uint8Array } = {},
) {
  const cache = new BlobCache(join(scratch, `cache-${++caches}`));
  if (options.cached !== undefined) {
    const path = join(cache.root, blobPath(descriptor.digest));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, options.cached);
  }
  return readBlob(descriptor, {
    source: source as ImageSource,
    cache,
    name: "The blob",
    maxBytes: options.maxBytes ?? 1000,
    signal: new AbortController().signal,
  });
}

function remote(bytes: Uint8Array): Partial<ImageSource> {
  return {
    async *blob() {
      yield bytes.subarray(0, 5);
      await Promise.resolve();
      yield bytes.subarray(5);
    },
  };
}

function local(bytes: Uint8Array): Partial<ImageSource> {
  const path = join(scratch, `file-${++caches}`);
  writeFileSync(path, Buffer.concat([Buffer.from("before"), bytes, Buffer.from("behind")]));
  return { place: () => ({ type: "file", path, offset: 6, checkedBy: "digest" }) };
}

test("a blob is read from the cache or from this machine, or it is fetched", async () => {
  assert.deepEqual(await read({}, { cached: content }), content);
  assert.deepEqual(await read(local(content)), content);
  assert.deepEqual(await read(remote(content)), content);
});

test("a damaged copy in the cache is ignored", async () => {
  assert.deepEqual(await read(remote(content), { cached: other }), content);
  await assert.rejects(read({}, { cached: other }), { code: "not_found" });
});

test("bytes with another digest are refused", async () => {
  for (const source of [local(other), remote(other), local(content.subarray(1))]) {
    await assert.rejects(read(source), { code: "digest", message: /^The blob has the digest/ });
  }
});

test("a blob that is too large is not read at all", async () => {
  const source = { place: () => assert.fail("it was looked for") };
  await assert.rejects(read(source, { maxBytes: descriptor.size - 1 }), { code: "limit" });
  assert.deepEqual(await read(remote(content), { maxBytes: descriptor.size }), content);
});

test("a stretch of a file ends with the file, and the file is closed", () => {
  const path = join(scratch, "short");
  writeFileSync(path, "0123456789");
  const before = readdirSync("/proc/self/fd").length;
  for (let turn = 0; turn < 20; turn++) {
    assert.deepEqual(readStretch({ path, offset: 7 }, 100), new TextEncoder().encode("789"));
  }
  assert.ok(readdirSync("/proc/self/fd").length < before + 10);
});

test("the error names a file that cannot be read", async () => {
  const path = join(scratch, "none");
  const source: Partial<ImageSource> = {
    place: () => ({ type: "file", path, offset: 0, checkedBy: "digest" }),
  };
  await assert.rejects(read(source), { code: "file", message: /none" cannot be read: ENOENT/ });
});

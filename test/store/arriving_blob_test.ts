/** A blob that arrives in pieces in any order is digested from its start to its end. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import test from "node:test";
import fc from "fast-check";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { ArrivingBlob, type Segment } from "../../lib/store/arriving_blob.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const cache = new BlobCache(scratchDirectory("stored"));
cache.open();
const content = randomBytes(5000);

test("the digest is right and no byte is available early, in any order of the pieces", async () => {
  const shape = fc.record({
    size: fc.integer({ min: 1, max: content.length }),
    segmentSize: fc.integer({ min: 1, max: 2000 }),
    picks: fc.infiniteStream(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 700 }))),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ size, segmentSize, picks }) => {
      const bytes = content.subarray(0, size);
      const blob = newBlob(bytes, segmentSize);
      let told = 0;
      blob.onAvailable(() => told = blob.available);
      const open = [...blob.pending];
      const here = new Uint8Array(size);
      for (const [which, count] of picks) {
        if (open.length === 0) break;
        const at = which % open.length;
        const segment = open[at]!;
        const start = segment.start + segment.received;
        const piece = bytes.subarray(start, Math.min(start + count, segment.end));
        blob.write(segment, piece);
        here.fill(1, start, start + piece.length);
        if (segment.start + segment.received === segment.end) open.splice(at, 1);
        const missing = here.indexOf(0);
        assert.equal(blob.available, missing < 0 ? size : missing);
        assert.equal(told, blob.available);
      }
      assert.ok(blob.complete);
      assert.equal(blob.received, size);
      await blob.commit();
      assert.deepEqual(fs.readFileSync(blob.paths[1]!), Buffer.from(bytes));
    }),
    { numRuns: 40 },
  );
});

test("segments cover the blob once, in order", () => {
  const cover = ({ pending }: ArrivingBlob) => pending.map(({ start, end }) => [start, end]);
  assert.deepEqual(cover(newBlob(content.subarray(0, 10), 4)), [[0, 4], [4, 8], [8, 10]]);
  assert.deepEqual(cover(newBlob(content.subarray(0, 8), 4)), [[0, 4], [4, 8]]);
  assert.deepEqual(cover(newBlob(content.subarray(0, 8), Infinity)), [[0, 8]]);
  assert.deepEqual(cover(newBlob(content.subarray(0, 0), 4)), []);
});

test("no bytes with the digest of some are the manifest's fault: fetching again would not help", async () => {
  const digest = digestOf(content);
  const descriptor = { mediaType: "", digest, size: 0 };
  const blob = new ArrivingBlob(descriptor, cache.ingest(descriptor), 4);
  await assert.rejects(blob.commit(), { code: "manifest", message: /has 0 bytes/ });
  blob.close();
});

test("a blob that is divided anew begins from nothing", async () => {
  const blob = newBlob(content, 1000);
  const [first, second] = blob.pending as [Segment, Segment];
  blob.write(second, content.subarray(1000, 1500));
  blob.write(first, content.subarray(0, 1000));
  assert.equal(blob.available, 1500);
  blob.split(Infinity);
  assert.deepEqual([blob.available, blob.received, blob.pending.length], [0, 0, 1]);
  blob.write(blob.pending[0]!, content);
  await blob.commit();
});

test("bytes with another digest are never committed", async () => {
  const blob = newBlob(content, Infinity);
  const damaged = Buffer.from(content);
  damaged[4999]! ^= 1;
  blob.write(blob.pending[0]!, damaged);
  await assert.rejects(blob.commit(), {
    code: "digest",
    message: /^Its bytes have the digest sha256:/,
  });
  blob.close();
  assert.ok(blob.paths.every((path) => !fs.existsSync(path)));
});

function newBlob(bytes: Uint8Array, segmentSize: number): ArrivingBlob {
  const descriptor = { mediaType: "", digest: digestOf(bytes), size: bytes.length };
  cache.remove(descriptor.digest);
  return new ArrivingBlob(descriptor, cache.ingest(descriptor), segmentSize);
}

/** Layer workers: how much of a layer they decompress ahead of its taker. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHUNKS_IN_SLAB, type LayerChunk, SLAB_SIZE } from "../../lib/layer/layer_messages.ts";
import { LayerReaders } from "../../lib/layer/layer_readers.ts";
import type { ReadableBlob } from "../../lib/store/blob_fetcher.ts";
import { digestOf } from "../helpers/image_fixture.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("layer-readers");
const slabs = 3;

/** A plain layer that fills more than all of the memory. */
function largeLayer(): ReadableBlob {
  const bytes = Buffer.alloc((slabs + 1) * SLAB_SIZE, 7);
  const path = join(scratch, "layer");
  writeFileSync(path, bytes);
  return {
    descriptor: { mediaType: "tar", digest: digestOf(bytes), size: bytes.length },
    place: { type: "file", path, offset: 0, checkedBy: "digest" },
    origin: "local",
    othersMayWrite: false,
  };
}

test("a layer whose taker waits is read ahead into all of the memory, and no further", async () => {
  for (const count of [1, slabs]) {
    const failures: Error[] = [];
    const readers = new LayerReaders(1, count * SLAB_SIZE, (_, error) => failures.push(error));
    try {
      const layer = largeLayer();
      const port = await readers.open(layer, layer.descriptor.digest);
      let parts = 0;
      port.on("message", (chunk: LayerChunk) => {
        if (chunk !== "end" && "at" in chunk) parts++;
      });
      await waitUntil("the memory is full", () => parts === count * CHUNKS_IN_SLAB);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(parts, count * CHUNKS_IN_SLAB);
      port.close();
    } finally {
      await readers.close();
    }
    assert.deepEqual(failures, []);
  }
});

test("a layer has its one digest checked, whether its bytes or its content are asked about", async () => {
  const readers = new LayerReaders(1, SLAB_SIZE, (_, error) => failure = error);
  let failure: Error | undefined;
  try {
    const layer = largeLayer();
    const wrong = digestOf(Buffer.from("other"));
    const descriptor = { ...layer.descriptor, digest: wrong };
    const port = await readers.open({ ...layer, descriptor }, wrong);
    port.on("message", (chunk: LayerChunk) => {
      if (chunk !== "end" && "at" in chunk) port.postMessage({ slab: chunk.slab, at: chunk.at });
    });
    await waitUntil("the digest is refused", () => failure !== undefined);
    assert.match(failure!.message, /^Its stored bytes are sha256:\w+ instead of sha256:\w+$/);
  } finally {
    await readers.close();
  }
});

/** Buffers between a layer worker and the taker of its tar stream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, type MessagePort } from "../../lib/system/worker.ts";
import { ChunkOutput } from "../../lib/layer/chunk_output.ts";
import { CHUNK_SIZE, CHUNKS_AHEAD, type LayerChunk } from "../../lib/layer/layer_messages.ts";

const all = new Uint8Array(CHUNK_SIZE * CHUNKS_AHEAD);

/** Runs `use` with an output's port and the taker's. */
async function withPorts(use: (port: MessagePort, taker: MessagePort) => Promise<void>) {
  const { port1, port2 } = new MessageChannel();
  try {
    await use(port1, port2);
  } finally {
    port1.close();
    port2.close();
  }
}

test("the stream arrives in order, cut at the buffers' size, with its end behind", async () => {
  await withPorts(async (port, taker) => {
    const sizes: number[] = [];
    const bytes: number[] = [];
    taker.on("message", (chunk: LayerChunk) => {
      if (chunk === "end") return sizes.push(-1);
      sizes.push(chunk.length);
      bytes.push(new Uint8Array(chunk.buffer)[0]!);
      taker.postMessage(chunk.buffer, [chunk.buffer]);
    });
    const output = new ChunkOutput(port, []);
    await output.write(new Uint8Array(CHUNK_SIZE).fill(1));
    await output.write(Uint8Array.of(2, 3));
    await output.write(new Uint8Array(CHUNK_SIZE).fill(4));
    const spare = await output.end();
    assert.deepEqual(sizes, [CHUNK_SIZE, CHUNK_SIZE, 2, -1]);
    assert.deepEqual(bytes, [1, 2, 4]);
    assert.ok(spare.length >= 1 && spare.length <= 3, `${spare.length} buffers are left`);
  });
});

test("no more is written ahead than there are buffers", async () => {
  await withPorts(async (port, taker) => {
    const chunks: ArrayBuffer[] = [];
    taker.on("message", (chunk: Exclude<LayerChunk, "end">) => chunks.push(chunk.buffer));
    const output = new ChunkOutput(port, []);
    await output.write(all);
    let isWritten = false;
    const more = output.write(Uint8Array.of(1)).then(() => isWritten = true);
    while (chunks.length < CHUNKS_AHEAD) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(isWritten, false);
    taker.postMessage(chunks[0], [chunks[0]!]);
    await more;
  });
});

test("a layer that failed leaves the next one all the buffers that it may have", async () => {
  const failed = new MessageChannel();
  await new ChunkOutput(failed.port1, []).write(all);
  failed.port1.close();
  await withPorts(async (port) => await new ChunkOutput(port, []).write(all));
});

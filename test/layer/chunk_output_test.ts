/** The memory between a layer worker and the taker of its tar stream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, type MessagePort } from "../../lib/system/worker.ts";
import { chunkMemory, ChunkOutput } from "../../lib/layer/chunk_output.ts";
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

test("the stream arrives in order, cut at the size of a part, with its end behind", async () => {
  await withPorts(async (port, taker) => {
    const sizes: number[] = [];
    const bytes: number[] = [];
    let memory: SharedArrayBuffer;
    taker.on("message", (chunk: LayerChunk) => {
      if (chunk === "end") return sizes.push(-1);
      if ("memory" in chunk) return memory = chunk.memory;
      sizes.push(chunk.length);
      bytes.push(new Uint8Array(memory)[chunk.at]!);
      taker.postMessage(chunk.at);
    });
    const output = new ChunkOutput(port, chunkMemory());
    await output.write(new Uint8Array(CHUNK_SIZE).fill(1));
    await output.write(Uint8Array.of(2, 3));
    await output.write(new Uint8Array(CHUNK_SIZE).fill(4));
    await output.end();
    assert.deepEqual(sizes, [CHUNK_SIZE, CHUNK_SIZE, 2, -1]);
    assert.deepEqual(bytes, [1, 2, 4]);
  });
});

test("a part is not written again before the taker confirms it", async () => {
  await withPorts(async (port, taker) => {
    const parts: number[] = [];
    taker.on("message", (chunk: LayerChunk) => {
      if (chunk !== "end" && "at" in chunk) parts.push(chunk.at);
    });
    const memory = chunkMemory();
    const output = new ChunkOutput(port, memory);
    await output.write(all);
    let isWritten = false;
    const more = output.write(Uint8Array.of(1)).then(() => isWritten = true);
    while (parts.length < CHUNKS_AHEAD) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(isWritten, false);
    assert.equal(new Set(parts).size, CHUNKS_AHEAD);
    assert.ok(new Uint8Array(memory).every((byte) => byte === 0));
    taker.postMessage(parts[3]);
    await more;
    assert.equal(new Uint8Array(memory)[parts[3]!], 1);
  });
});

test("the end waits until the taker has confirmed every part", async () => {
  await withPorts(async (port, taker) => {
    const parts: number[] = [];
    const output = new ChunkOutput(port, chunkMemory());
    await output.write(Uint8Array.of(1));
    let isOver = false;
    const end = output.end().then(() => isOver = true);
    await new Promise<void>((resolve) => {
      taker.on("message", (chunk: LayerChunk) => {
        if (chunk === "end") resolve();
        else if ("at" in chunk) parts.push(chunk.at);
      });
    });
    assert.equal(isOver, false);
    for (const at of parts) taker.postMessage(at);
    await end;
  });
});

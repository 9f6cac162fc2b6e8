/** The memory between a layer worker and the taker of its tar stream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, type MessagePort } from "../../lib/system/worker.ts";
import { ChunkOutput } from "../../lib/layer/chunk_output.ts";
import {
  CHUNK_SIZE,
  CHUNKS_IN_SLAB,
  type LayerChunk,
  type PartOfSlab,
  type Slab,
  SLAB_SIZE,
} from "../../lib/layer/layer_messages.ts";

const all = new Uint8Array(SLAB_SIZE);

interface Ends {
  readonly output: ChunkOutput;
  /** The taker's end. */
  readonly taker: MessagePort;
  readonly first: Uint8Array;
  /** What the output asked for and gave back. */
  readonly told: string[];
}

/** Runs `use` with an output that has one slab, number 0, and with the taker's port. */
async function withOutput(use: (ends: Ends) => Promise<void>): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const told: string[] = [];
  try {
    const slab = newSlab(0);
    const output = new ChunkOutput(port1, slab, {
      want: () => told.push("want"),
      spare: (id) => told.push(`spare ${id}`),
    });
    await use({ output, taker: port2, first: new Uint8Array(slab.memory), told });
  } finally {
    port1.close();
    port2.close();
  }
}

function newSlab(id: number): Slab {
  return { id, memory: new SharedArrayBuffer(SLAB_SIZE) };
}

/** Collects the parts that the taker gets. */
function partsOf(taker: MessagePort): PartOfSlab[] {
  const parts: PartOfSlab[] = [];
  taker.on("message", (chunk: LayerChunk) => {
    if (chunk !== "end" && "at" in chunk) parts.push({ slab: chunk.slab, at: chunk.at });
  });
  return parts;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("the stream arrives in order, cut at the size of a part, with its end behind", async () => {
  await withOutput(async ({ output, taker }) => {
    const sizes: number[] = [];
    const bytes: number[] = [];
    let memory: SharedArrayBuffer;
    taker.on("message", (chunk: LayerChunk) => {
      if (chunk === "end") return sizes.push(-1);
      if ("memory" in chunk) return memory = chunk.memory;
      sizes.push(chunk.length);
      bytes.push(new Uint8Array(memory)[chunk.at]!);
      taker.postMessage({ slab: chunk.slab, at: chunk.at });
    });
    await output.write(new Uint8Array(CHUNK_SIZE).fill(1));
    await output.write(Uint8Array.of(2, 3));
    await output.write(new Uint8Array(CHUNK_SIZE).fill(4));
    await output.end();
    assert.deepEqual(sizes, [CHUNK_SIZE, CHUNK_SIZE, 2, -1]);
    assert.deepEqual(bytes, [1, 2, 4]);
  });
});

test("a part is not written again before the taker confirms it", async () => {
  await withOutput(async ({ output, taker, first, told }) => {
    const parts = partsOf(taker);
    await output.write(all);
    let isWritten = false;
    const more = output.write(Uint8Array.of(1)).then(() => isWritten = true);
    await until(() => parts.length === CHUNKS_IN_SLAB);
    assert.equal(isWritten, false);
    assert.equal(new Set(parts.map(({ at }) => at)).size, CHUNKS_IN_SLAB);
    assert.ok(first.every((byte) => byte === 0));
    assert.deepEqual(told, ["want"]);
    taker.postMessage(parts[3]);
    await more;
    assert.equal(first[parts[3]!.at], 1);
  });
});

test("one more slab is asked for once, used when it comes, and given back when it is free", async () => {
  await withOutput(async ({ output, taker, told }) => {
    const parts = partsOf(taker);
    const writing = output.write(new Uint8Array(2 * SLAB_SIZE));
    await until(() => told.length > 0);
    output.add(newSlab(7));
    await writing;
    await until(() => parts.length === 2 * CHUNKS_IN_SLAB);
    assert.ok(parts.slice(0, CHUNKS_IN_SLAB).every(({ slab }) => slab === 0));
    assert.ok(parts.slice(CHUNKS_IN_SLAB).every(({ slab }) => slab === 7));
    for (const part of parts) taker.postMessage(part);
    await output.end();
    assert.deepEqual(told, ["want", "spare 7"]);
  });
});

test("a slab that comes too late to be of use is given back at once", async () => {
  await withOutput(async ({ output, told }) => {
    output.add(newSlab(1));
    await output.write(all);
    assert.deepEqual(told, ["spare 1"]);
  });
});

test("the end waits until the taker has confirmed every part", async () => {
  await withOutput(async ({ output, taker }) => {
    const parts = partsOf(taker);
    await output.write(Uint8Array.of(1));
    let isOver = false;
    const end = output.end().then(() => isOver = true);
    await until(() => parts.length === 1);
    assert.equal(isOver, false);
    taker.postMessage(parts[0]);
    await end;
  });
});

/** Where the tar stream leaves a layer worker. */

import type { MessagePort } from "../system/worker.ts";
import { CHUNK_SIZE, CHUNKS_AHEAD, type LayerChunk } from "./layer_messages.ts";

/**
 * Fills the parts of a memory that the taker shares, and waits when all are with the taker: that
 * bounds how much is read ahead. An output whose {@link end} was reached leaves the memory to the
 * next one. After a failure the taker may still read it, so the next output needs another.
 */
export class ChunkOutput {
  readonly #port: MessagePort;
  readonly #memory: Uint8Array;
  /** Where the parts begin that may be filled. */
  readonly #free = Array.from({ length: CHUNKS_AHEAD }, (_, part) => part * CHUNK_SIZE);
  #wake: (() => void) | undefined;
  #current: number | undefined;
  #used = 0;

  /** `memory` is {@link chunkMemory}'s. */
  constructor(port: MessagePort, memory: SharedArrayBuffer) {
    this.#port = port;
    this.#memory = new Uint8Array(memory);
    port.on("message", (at: number) => {
      this.#free.push(at);
      this.#wake?.();
    });
    this.#tell({ memory });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      this.#current ??= await this.#part();
      const count = Math.min(CHUNK_SIZE - this.#used, bytes.length - from);
      this.#memory.set(bytes.subarray(from, from + count), this.#current + this.#used);
      this.#used += count;
      from += count;
      if (this.#used === CHUNK_SIZE) this.#send(this.#current);
    }
  }

  /** Waits until the taker has taken everything. */
  async end(): Promise<void> {
    if (this.#current !== undefined) this.#send(this.#current);
    this.#tell("end");
    while (this.#free.length < CHUNKS_AHEAD) await this.#woken();
  }

  async #part(): Promise<number> {
    while (this.#free.length === 0) await this.#woken();
    return this.#free.pop()!;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #send(at: number): void {
    this.#tell({ at, length: this.#used });
    this.#current = undefined;
    this.#used = 0;
  }

  #tell(message: LayerChunk): void {
    this.#port.postMessage(message);
  }
}

/** The system gives it pages as they are written to. */
export function chunkMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(CHUNK_SIZE * CHUNKS_AHEAD);
}

/** Where the tar stream leaves a layer worker. */

import type { MessagePort } from "../system/worker.ts";
import { CHUNK_SIZE, CHUNKS_AHEAD } from "./layer_messages.ts";

/**
 * Fills buffers and sends them to the taker, which sends them back: their count bounds how much is
 * read ahead. The buffers belong to one output until it has ended: when a layer fails, its buffers
 * are dropped, and the next output makes new ones.
 */
export class ChunkOutput {
  readonly #port: MessagePort;
  readonly #free: ArrayBuffer[];
  /** How many buffers there are, with the taker or here. */
  #count: number;
  #wake: (() => void) | undefined;
  #current: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;

  /** Starts with the buffers that the last output left over. */
  constructor(port: MessagePort, spare: readonly ArrayBuffer[]) {
    this.#port = port;
    this.#free = [...spare];
    this.#count = spare.length;
    port.on("message", (buffer: ArrayBuffer) => {
      this.#free.push(buffer);
      this.#wake?.();
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#current ??= new Uint8Array(await this.#buffer());
      const count = Math.min(CHUNK_SIZE - this.#used, bytes.length - at);
      this.#current.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === CHUNK_SIZE) this.#send();
    }
  }

  /** Waits until the taker has taken everything; gives the buffers for the next output. */
  async end(): Promise<readonly ArrayBuffer[]> {
    if (this.#current !== undefined) this.#send();
    this.#port.postMessage("end");
    while (this.#free.length < this.#count) await this.#woken();
    return this.#free;
  }

  async #buffer(): Promise<ArrayBuffer> {
    if (this.#free.length === 0 && this.#count < CHUNKS_AHEAD) {
      this.#count++;
      return new ArrayBuffer(CHUNK_SIZE);
    }
    while (this.#free.length === 0) await this.#woken();
    return this.#free.pop()!;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #send(): void {
    const { buffer } = this.#current!;
    this.#port.postMessage({ buffer, length: this.#used }, [buffer]);
    this.#current = undefined;
    this.#used = 0;
  }
}

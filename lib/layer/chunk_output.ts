/** Where the tar stream leaves a layer worker. */

import type { MessagePort } from "../system/worker.ts";
import {
  CHUNK_SIZE,
  CHUNKS_IN_SLAB,
  type LayerChunk,
  type PartOfSlab,
  type Slab,
} from "./layer_messages.ts";

/** Where an output's memory comes from. */
export interface SlabSupply {
  /** Asks for one more slab, which {@link ChunkOutput.add} may get later, or never. */
  want(): void;
  /** Takes a slab back that is not needed now. */
  spare(id: number): void;
}

interface OpenSlab {
  readonly id: number;
  readonly memory: Uint8Array;
  /** Where the parts begin that may be filled. */
  readonly free: number[];
}

/**
 * Fills parts of slabs, which the taker shares. It asks for another slab when all parts are with the
 * taker, and waits: that bounds how much is read ahead.
 */
export class ChunkOutput {
  readonly #port: MessagePort;
  readonly #supply: SlabSupply;
  readonly #slabs: OpenSlab[] = [];
  /** Whether a slab was asked for and did not come yet. */
  #isAwaited = false;
  #wake: (() => void) | undefined;
  #slab: OpenSlab | undefined;
  #at = 0;
  #used = 0;

  constructor(port: MessagePort, first: Slab, supply: SlabSupply) {
    this.#port = port;
    this.#supply = supply;
    port.on("message", ({ slab, at }: PartOfSlab) => {
      const found = this.#slabs.find(({ id }) => id === slab)!;
      found.free.push(at);
      this.#spare(found);
      this.#wake?.();
    });
    this.#open(first);
  }

  /** Takes one more slab. */
  add(slab: Slab): void {
    this.#isAwaited = false;
    this.#spare(this.#open(slab));
    this.#wake?.();
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      this.#slab ??= await this.#part();
      const count = Math.min(CHUNK_SIZE - this.#used, bytes.length - from);
      this.#slab.memory.set(bytes.subarray(from, from + count), this.#at + this.#used);
      this.#used += count;
      from += count;
      if (this.#used === CHUNK_SIZE) this.#send(this.#slab);
    }
  }

  /** Waits until the taker has taken everything. */
  async end(): Promise<void> {
    if (this.#slab !== undefined) this.#send(this.#slab);
    this.#tell("end");
    while (this.#slabs.some(({ free }) => free.length < CHUNKS_IN_SLAB)) await this.#woken();
  }

  #open({ id, memory }: Slab): OpenSlab {
    const free = Array.from({ length: CHUNKS_IN_SLAB }, (_, part) => part * CHUNK_SIZE);
    const opened = { id, memory: new Uint8Array(memory), free };
    this.#slabs.push(opened);
    this.#tell({ slab: id, memory });
    return opened;
  }

  /** The first slabs are filled first, so that the last ones become free as a whole. */
  async #part(): Promise<OpenSlab> {
    for (;;) {
      const slab = this.#slabs.find(({ free }) => free.length > 0);
      if (slab !== undefined) {
        this.#at = slab.free.pop()!;
        return slab;
      }
      if (!this.#isAwaited) this.#supply.want();
      this.#isAwaited = true;
      await this.#woken();
    }
  }

  /** Gives a slab back that is free as a whole while others have enough free parts. */
  #spare(slab: OpenSlab): void {
    if (slab.free.length < CHUNKS_IN_SLAB) return;
    const free = this.#slabs.reduce((sum, one) => sum + one.free.length, 0);
    if (free < CHUNKS_IN_SLAB + CHUNKS_IN_SLAB / 2) return;
    this.#slabs.splice(this.#slabs.indexOf(slab), 1);
    this.#supply.spare(slab.id);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #send({ id }: OpenSlab): void {
    this.#tell({ slab: id, at: this.#at, length: this.#used });
    this.#slab = undefined;
    this.#used = 0;
  }

  #tell(message: LayerChunk): void {
    this.#port.postMessage(message);
  }
}

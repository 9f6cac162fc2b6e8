/**
 * Shares memory among the layers that are decompressed at a time. Each has a slab to itself; what is
 * left goes to the layer that is needed first, and comes back as the layer is used up.
 */

import { type Slab, SLAB_SIZE } from "./layer_messages.ts";

export class SlabPool {
  readonly #count: number;
  readonly #readers: number;
  readonly #free: Slab[] = [];
  /** In the order of need. */
  readonly #holders: SlabHolder[] = [];
  #made = 0;

  /** `count` slabs for `readers` layers at a time; at least one for each. */
  constructor(count: number, readers: number) {
    this.#count = Math.max(count, readers);
    this.#readers = readers;
  }

  /** For a layer that is needed after all that entered before. `grant` gets more slabs one by one. */
  enter(grant: (slab: Slab) => void): SlabHolder {
    const holder = new SlabHolder(this, this.take(), grant);
    this.#holders.push(holder);
    return holder;
  }

  /** The functions below are for holders. */
  take(): Slab {
    // The system gives it pages as they are written to.
    return this.#free.pop() ?? { id: this.#made++, memory: new SharedArrayBuffer(SLAB_SIZE) };
  }

  giveBack(slabs: Iterable<Slab>): void {
    this.#free.push(...slabs);
    this.supply();
  }

  leave(holder: SlabHolder): void {
    this.#holders.splice(this.#holders.indexOf(holder), 1);
    this.giveBack(holder.slabs.values());
  }

  /** Hands out slabs, but for those that layers to come will need. */
  supply(): void {
    const reserved = this.#readers - this.#holders.length;
    for (const holder of this.#holders) {
      if (this.#count - this.#made + this.#free.length <= reserved) return;
      if (holder.wants) holder.receive(this.take());
    }
  }
}

/** A layer's share. */
export class SlabHolder {
  readonly #pool: SlabPool;
  readonly #grant: (slab: Slab) => void;
  readonly slabs = new Map<number, Slab>();
  wants = false;

  constructor(pool: SlabPool, readonly first: Slab, grant: (slab: Slab) => void) {
    this.#pool = pool;
    this.#grant = grant;
    this.slabs.set(first.id, first);
  }

  /** Asks for one more slab, which comes when there is one to spare. */
  want(): void {
    this.wants = true;
    this.#pool.supply();
  }

  receive(slab: Slab): void {
    this.wants = false;
    this.slabs.set(slab.id, slab);
    this.#grant(slab);
  }

  /** Gives one slab back, which nobody reads any more. */
  spare(id: number): void {
    const slab = this.slabs.get(id)!;
    this.slabs.delete(id);
    this.#pool.giveBack([slab]);
  }

  /** Gives all slabs back. A layer that failed keeps them, because its taker may still read. */
  leave(): void {
    this.#pool.leave(this);
  }
}

/**
 * Blobs that other processes fetch into the same cache. Looking after them costs a few calls to the
 * file system each second, however many they are: many hosts may wait on one server.
 */

import { Backoff } from "../system/files/backoff.ts";
import type { Holder } from "../system/files/lease.ts";
import type { Descriptor } from "../types/image.ts";
import { insertInOrder } from "./insert_in_order.ts";

/** Each try for one more blob costs calls too, and an image may have thousands of layers. */
const MAX_AWAITED = 16;

export interface AwaitedBlob {
  readonly descriptor: Descriptor;
  /** The process that fetches it, as last seen. */
  readonly holder: Holder;
}

interface AwaitOptions {
  /** The blob's position in the order of need. */
  readonly rankOf: (descriptor: Descriptor) => number;
  /** The process that fetches the blob; undefined when it is done, gave up or died. */
  readonly holderOf: (descriptor: Descriptor) => Holder | undefined;
  /** The blob that is needed first is still on its way. */
  readonly onHeld: (blob: AwaitedBlob) => void;
  /** Nobody fetches these blobs any more: they are there, or have to be fetched. */
  readonly onFree: (blobs: readonly AwaitedBlob[]) => void;
  /** A look failed, or `onFree` did. */
  readonly onError: (error: unknown) => void;
}

export class AwaitedBlobs {
  readonly #options: AwaitOptions;
  /** In the order of need. */
  #blobs: AwaitedBlob[] = [];
  readonly #pauses = new Backoff();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the looks, to take the blobs behind the first one in turn. */
  #turn = 0;

  constructor(options: AwaitOptions) {
    this.#options = options;
  }

  /** Whether so many blobs are awaited that their owner should not look for more. */
  get isFull(): boolean {
    return this.#blobs.length >= MAX_AWAITED;
  }

  add(blob: AwaitedBlob): void {
    insertInOrder(this.#blobs, blob, ({ descriptor }) => this.#options.rankOf(descriptor));
    this.#schedule();
  }

  /** Ends all looks. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#blobs = [];
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#blobs.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } catch (error) {
        this.#options.onError(error);
      }
      this.#schedule();
    }, this.#pauses.next());
  }

  /** Looks at the blobs in order until one is held, and at one of the others. */
  #look(): void {
    const free: AwaitedBlob[] = [];
    while (this.#blobs.length > 0 && this.#isFree(0)) free.push(this.#blobs.shift()!);
    const others = this.#blobs.length - 1;
    if (others > 0) {
      const at = 1 + this.#turn++ % others;
      if (this.#isFree(at)) free.push(...this.#blobs.splice(at, 1));
    }
    if (this.#blobs.length > 0) this.#options.onHeld(this.#blobs[0]!);
    if (free.length === 0) return;
    this.#pauses.reset();
    this.#options.onFree(free);
  }

  #isFree(at: number): boolean {
    const { descriptor } = this.#blobs[at]!;
    const holder = this.#options.holderOf(descriptor);
    if (holder !== undefined) this.#blobs[at] = { descriptor, holder };
    return holder === undefined;
  }
}

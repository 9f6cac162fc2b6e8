/** Hands a layer to the pack worker when it asks, and has the next ones decompressed ahead. */

import { DenrootError, messageOf } from "../errors.ts";
import { SLAB_SIZE } from "../layer/layer_messages.ts";
import { LayerReaders } from "../layer/layer_readers.ts";
import type { ReadableBlob } from "../store/blob_fetcher.ts";
import { UnusableBlob } from "../store/unusable_blob.ts";
import type { MessagePort } from "../system/worker.ts";
import type { PackJob } from "./pack_job.ts";
import type { Pass } from "./pack_messages.ts";

/** More threads than this do not help: mksquashfs reads no faster than three of them decompress. */
const MAX_READERS = 8;

export class LayerOpener {
  readonly #job: PackJob;
  readonly #readers: LayerReaders;
  /** How many layers are read at a time: the one that is merged, and those ahead. */
  readonly #count: number;
  readonly #ahead = new Map<number, Promise<MessagePort>>();

  /** `onFailure` gets the error that explains why a layer could not be read. */
  constructor(job: PackJob, onFailure: (error: unknown) => void) {
    this.#job = job;
    const { processors, aheadBytes } = job;
    this.#count = Math.max(
      1,
      Math.min(MAX_READERS, processors, Math.floor(aheadBytes / SLAB_SIZE)),
    );
    this.#readers = new LayerReaders(
      this.#count,
      aheadBytes,
      (readable, error) =>
        void this.#explain(readable, this.#named(readable, error)).then(onFailure),
    );
  }

  /**
   * Gives the port that yields the layer's tar stream, as `LayerChunk`s. Those of the `next` layers are
   * decompressed meanwhile.
   */
  async open(layer: number, pass: Pass, next: readonly number[]): Promise<MessagePort> {
    const port = this.#ahead.get(layer) ?? this.#start(layer, pass);
    this.#ahead.delete(layer);
    const opened = await port;
    for (const one of next.slice(0, this.#count - 1)) {
      if (!this.#ahead.has(one)) this.#startAhead(one, pass);
    }
    return opened;
  }

  /** Gives the error that explains what the pack worker found wrong in a layer. */
  async blame(layer: number, error: Error): Promise<unknown> {
    const { fetcher, plan } = this.#job;
    return this.#explain(await fetcher.readable(plan.layers[layer]!.descriptor), error);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#readers.close();
  }

  #startAhead(layer: number, pass: Pass): void {
    const port = this.#start(layer, pass);
    // `open` hands the error on.
    port.catch(() => {});
    this.#ahead.set(layer, port);
  }

  async #start(layer: number, pass: Pass): Promise<MessagePort> {
    const { descriptor, diffId } = this.#job.plan.layers[layer]!;
    const readable = await this.#job.fetcher.readable(descriptor);
    // Another user could have changed the file since the first reading.
    const isVerified = pass === "again" && !readable.othersMayWrite;
    return this.#readers.open(readable, isVerified ? undefined : diffId);
  }

  #named({ descriptor }: ReadableBlob, error: Error): DenrootError {
    const message = `${this.#job.nameOf(descriptor)}: ${messageOf(error)}`;
    const { code, hint } = error instanceof DenrootError ? error : { code: "layer" as const };
    return new DenrootError(code, message, { cause: error, hint });
  }

  /** Layers are read while they arrive: a damaged transfer explains any error found in them. */
  async #explain(readable: ReadableBlob, error: Error): Promise<unknown> {
    try {
      await this.#job.fetcher.verified(readable);
      return new UnusableBlob(readable, error);
    } catch (transferError) {
      return transferError;
    }
  }
}

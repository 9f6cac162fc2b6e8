/** Hands out the tar streams of layers, which layer workers read while the layers arrive. */

import { fromPlainError } from "../errors.ts";
import { MessageChannel, type MessagePort, startWorker, type Worker } from "../system/worker.ts";
import type { ReadableBlob } from "../store/blob_fetcher.ts";
import type { Digest } from "../types/image.ts";
import {
  type Available,
  type Grant,
  type LayerAnswer,
  type LayerJob,
  SLAB_SIZE,
} from "./layer_messages.ts";
import { SlabPool } from "./slab_pool.ts";

/** Called when a layer cannot be read, with the reason. */
type OnFailure = (readable: ReadableBlob, error: Error) => void;

export class LayerReaders {
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #onFailure: OnFailure;
  readonly #count: number;
  readonly #slabs: SlabPool;

  /** At most `count` layers are read at a time, into `memory` bytes. */
  constructor(count: number, memory: number, onFailure: OnFailure) {
    this.#count = count;
    this.#slabs = new SlabPool(Math.floor(memory / SLAB_SIZE), count);
    this.#onFailure = onFailure;
  }

  /**
   * Begins to read a layer; the port yields LayerChunks as `layer_messages.ts` describes them. With
   * a `diffId` the stream's end is withheld unless that is the stream's digest.
   */
  async open(readable: ReadableBlob, diffId: Digest | undefined): Promise<MessagePort> {
    const worker = await this.#take();
    const { port1, port2 } = new MessageChannel();
    const tell = (message: LayerJob | Available | Grant, ports: MessagePort[] = []) =>
      worker.postMessage(message, ports);
    const holder = this.#slabs.enter((slab) => tell({ type: "slab", slab }));
    const { blob } = readable;
    const stop = blob?.onAvailable(() => tell({ type: "available", bytes: blob.available }));
    const settle = (error?: Error) => {
      stop?.();
      worker.off("message", onAnswer);
      worker.off("error", settle);
      if (error === undefined) holder.leave();
      else this.#onFailure(readable, error);
      this.#giveBack(worker);
    };
    const onAnswer = (answer: LayerAnswer) => {
      if (answer.type === "want") holder.want();
      else if (answer.type === "spare") holder.spare(answer.slab);
      else settle(answer.error && fromPlainError(answer.error));
    };
    worker.on("message", onAnswer);
    worker.on("error", settle);
    tell({ ...layerJob(readable, diffId), output: port1, slab: holder.first }, [port1]);
    return port2;
  }

  /** Ends the threads, whatever they do. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #take(): Worker | Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#workers.length < this.#count) {
      const worker = startWorker("lib/layer/layer_worker.ts", undefined);
      this.#workers.push(worker);
      return worker;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(worker);
    else this.#idle.push(worker);
  }
}

function layerJob(
  readable: ReadableBlob,
  diffId: Digest | undefined,
): Omit<LayerJob, "output" | "slab"> {
  const { blob, descriptor, place } = readable;
  return {
    type: "read",
    place,
    size: descriptor.size,
    available: blob?.available ?? descriptor.size,
    digest: diffId !== undefined && isUnchecked(readable) ? descriptor.digest : undefined,
    // The tar stream of a tree is a new one: no digest of it is known.
    diffId: place.type === "tree" ? undefined : diffId,
  };
}

/** Whether the stored bytes have not been compared with their digest yet. */
function isUnchecked({ origin, place }: ReadableBlob): boolean {
  return origin === "local" && place.type === "file" && place.checkedBy === "digest";
}

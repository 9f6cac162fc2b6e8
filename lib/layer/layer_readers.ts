/** The layer workers, seen from the main thread: hands out tar streams of layers that are being fetched. */

import { fromPlainError, type PlainError } from "../errors.ts";
import { MessageChannel, type MessagePort, startWorker, type Worker } from "../system/worker.ts";
import type { Digest } from "../types/image.ts";
import type { ReadableBlob } from "../store/blob_fetcher.ts";
import type { Available, LayerAnswer, LayerJob } from "./layer_messages.ts";

/** What a layer that cannot be read did wrong. */
export type OnFailure = (readable: ReadableBlob, error: Error) => void;

export class LayerReaders {
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #onFailure: OnFailure;
  readonly #count: number;
  #jobs = 0;

  /** At most `count` layers are read at a time. */
  constructor(count: number, onFailure: OnFailure) {
    this.#count = count;
    this.#onFailure = onFailure;
  }

  /**
   * Begins to read a layer; the port yields LayerChunks as `layer_messages.ts` has them. With a
   * `diffId` the stream's end is withheld unless it digests to that.
   */
  async open(readable: ReadableBlob, diffId: Digest | undefined): Promise<MessagePort> {
    const worker = await this.#take();
    const { port1, port2 } = new MessageChannel();
    const id = this.#jobs++;
    const { blob, descriptor } = readable;
    const stop = blob?.onAvailable(() => {
      worker.postMessage({ type: "available", id, bytes: blob.available } satisfies Available);
    });
    const job: LayerJob = {
      type: "read",
      id,
      place: readable.place,
      size: descriptor.size,
      available: blob?.available ?? descriptor.size,
      digest: diffId !== undefined && isUnchecked(readable) ? descriptor.digest : undefined,
      // A tree's stream is of our own making: no digest of it is known.
      diffId: readable.place.type === "tree" ? undefined : diffId,
      output: port1,
    };
    const settle = (error?: Error) => {
      stop?.();
      worker.off("message", onMessage);
      worker.off("error", settle);
      if (error !== undefined) this.#onFailure(readable, error);
      this.#giveBack(worker);
    };
    const onMessage = ({ id: answered, error }: LayerAnswer & { error?: PlainError }) => {
      if (answered === id) settle(error === undefined ? undefined : fromPlainError(error));
    };
    worker.on("message", onMessage);
    worker.on("error", settle);
    worker.postMessage(job, [port1]);
    return port2;
  }

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

/** Whether nobody has held the stored bytes against their digest yet. */
function isUnchecked({ origin, place }: ReadableBlob): boolean {
  return origin === "local" && place.type === "file" && place.checkedBy === "digest";
}

/** Layers into one image file: starts the threads and mksquashfs, and sees to it that all of them end. */

import { Buffer } from "node:buffer";
import { DenrootError, fromPlainError, hasCode, messageOf } from "../errors.ts";
import type { BlobFetcher, ReadableBlob } from "../store/blob_fetcher.ts";
import { LayerReaders } from "../layer/layer_readers.ts";
import { type OwnFile, workingDirectory } from "../enroot/own_files.ts";
import { type Packer, type PackOptions, startPacker } from "../squashfs/packer.ts";
import { type MessagePort, startWorker, type Worker } from "../system/worker.ts";
import type { Descriptor, ReadPlan } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type {
  OpenedLayer,
  PackInput,
  PackMessage,
  PackMode,
  VerifyRequest,
} from "./pack_messages.ts";

export interface PackJob {
  readonly target: string;
  readonly plan: ReadPlan;
  readonly ownFiles: readonly OwnFile[];
  /** What messages call a blob. */
  readonly nameOf: (descriptor: Descriptor) => string;
  readonly fetcher: BlobFetcher;
  readonly squash: Omit<PackOptions, "rootMode">;
  /** All entries get this time. */
  readonly allTime: number | undefined;
  /** For entries that no layer has. */
  readonly defaultTime: number;
  readonly maxBytes: number;
  /** The unsquashfs to read the finished image back with, when that is wanted. */
  readonly verifyWith: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** A layer whose bytes are not what they should be. */
export class LayerFailure extends Error {
  readonly readable: ReadableBlob;
  override readonly cause: Error;

  constructor(readable: ReadableBlob, cause: Error) {
    super(cause.message);
    this.readable = readable;
    this.cause = cause;
  }
}

const DEFAULT_ROOT_MODE = 0o755;
/** One layer is merged while the next is decompressed ahead. */
const READERS = 2;
/** So many bytes of the stream between two flushes of the image. */
const FLUSH_BYTES = 128 * 1024 * 1024;

type Result = Extract<PackMessage, { type: "restart" | "end" | "verified" }>;
type Restart = Extract<Result, { type: "restart" }>;

/** Gives the image's size. Throws {@link LayerFailure}, or what went wrong otherwise. */
export async function packLayers(job: PackJob): Promise<number> {
  let attempt: Attempt = { mode: "stream", rootMode: DEFAULT_ROOT_MODE };
  for (;;) {
    const outcome = await packOnce(job, attempt);
    if (typeof outcome === "number") return outcome;
    attempt = outcome;
    job.onProgress({
      type: "log",
      level: "info",
      message: `Packing anew: ${outcome.reason}`,
    });
  }
}

/** What has to be known before mksquashfs starts. */
interface Attempt {
  readonly mode: PackMode;
  /** Of the root directory. */
  readonly rootMode: number;
}

async function packOnce(job: PackJob, attempt: Attempt): Promise<number | Restart> {
  job.signal.throwIfAborted();
  const { rootMode } = attempt;
  const packer = await startPacker(job.target, { ...job.squash, rootMode });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const abort = () => failed.reject(job.signal.reason);
  job.signal.addEventListener("abort", abort, { once: true });
  const readers = new LayerReaders(
    Math.min(READERS, job.squash.processors),
    (readable, error) => void attribute(job, readable, error).then(failed.reject),
  );
  const worker = startWorker(
    "lib/pack/pack_worker.ts",
    packInput(job, attempt, packer.descriptor),
  );
  let complete = false;
  try {
    const layers = new LayerOpener(job, readers, attempt.mode);
    const outcome = await Promise.race([
      conversation(worker, layers, packer, job),
      failed.promise,
      job.fetcher.failure,
      packer.failure,
    ]);
    if (outcome.type === "restart") return outcome;
    if (outcome.type === "end") warnOfCappedTimes(job, outcome.latestTime);
    await Promise.race([job.fetcher.finished(), failed.promise]);
    const image = await Promise.race([packer.finish(), failed.promise]);
    if (job.verifyWith !== undefined) {
      worker.postMessage({ image, unsquashfs: job.verifyWith } satisfies VerifyRequest);
      await Promise.race([conversation(worker, layers, packer, job), failed.promise]);
    }
    const size = await packer.publish();
    complete = true;
    return size;
  } catch (error) {
    throw await rootCause(error, packer.failure);
  } finally {
    job.signal.removeEventListener("abort", abort);
    // In this order: the worker may be blocked in a write until mksquashfs is gone.
    if (!complete) await packer.abort();
    await Promise.all([worker.terminate(), readers.close()]);
    packer.close();
  }
}

function warnOfCappedTimes({ squash, onProgress }: PackJob, latestTime: number): void {
  const { mksquashfs, time } = squash;
  if (mksquashfs.setsRootTime || latestTime <= time) return;
  onProgress({
    type: "log",
    level: "warn",
    message: `mksquashfs ${mksquashfs.version} cannot keep times of files after ` +
      `${new Date(time * 1000).toISOString()}: they become that; 4.6 and later keep them`,
  });
}

/** When mksquashfs ended, its own words say more than the broken connection to it. */
async function rootCause(error: unknown, packerFailure: Promise<never>): Promise<unknown> {
  if (!hasCode(error, "squashfs")) return error;
  const timeout = new Promise((resolve) => setTimeout(resolve, 1000, error));
  return await Promise.race([packerFailure.catch((failure) => failure), timeout]);
}

/** Answers the pack worker until it has a result. */
function conversation(
  worker: Worker,
  layers: LayerOpener,
  packer: Packer,
  job: PackJob,
): Promise<Result> {
  let flushed = 0;
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.removeAllListeners("message").on("message", (message: PackMessage) => {
      switch (message.type) {
        case "open":
          layers.open(message.layer, message.verify).then((port) =>
            worker.postMessage({ port } satisfies OpenedLayer, [port])
          ).catch(reject);
          break;
        case "packed":
          job.onProgress(message);
          if (message.bytes - flushed >= FLUSH_BYTES) {
            flushed = message.bytes;
            packer.flush();
          }
          break;
        case "end":
        case "verified":
        case "restart":
          resolve(message);
          break;
        case "failed":
          layers.blame(message.layer, fromPlainError(message.error)).then(reject);
      }
    });
  });
}

/** Opens layers when they are asked for, and the one that will be asked for next. */
class LayerOpener {
  readonly #job: PackJob;
  readonly #readers: LayerReaders;
  readonly #step: number;
  readonly #ahead = new Map<number, Promise<MessagePort>>();

  constructor(job: PackJob, readers: LayerReaders, mode: PackMode) {
    this.#job = job;
    this.#readers = readers;
    this.#step = mode === "stream" ? -1 : 1;
  }

  async open(layer: number, verify: boolean): Promise<MessagePort> {
    if (!verify) return await this.#start(layer, false);
    const port = this.#ahead.get(layer) ?? this.#start(layer, true);
    this.#ahead.delete(layer);
    const opened = await port;
    const next = layer + this.#step;
    if (next >= 0 && next < this.#job.plan.layers.length && this.#job.squash.processors > 1) {
      const ahead = this.#start(next, true);
      ahead.catch(() => {});
      this.#ahead.set(next, ahead);
    }
    return opened;
  }

  /** Says which stored bytes an error of the pack worker comes from. */
  async blame(layer: number | undefined, error: Error): Promise<unknown> {
    if (layer === undefined) return error;
    const { fetcher, plan } = this.#job;
    return fault(fetcher, await fetcher.readable(plan.layers[layer]!.descriptor), error);
  }

  async #start(layer: number, verify: boolean): Promise<MessagePort> {
    const readable = await this.#job.fetcher.readable(this.#job.plan.layers[layer]!.descriptor);
    const isChecked = !verify && !readable.othersMayWrite;
    return this.#readers.open(
      readable,
      isChecked ? undefined : this.#job.plan.layers[layer]!.diffId,
    );
  }
}

function packInput(job: PackJob, { mode, rootMode }: Attempt, descriptor: number): PackInput {
  return {
    mode,
    descriptor,
    rootMode,
    layerNames: job.plan.layers.map(({ descriptor }) => job.nameOf(descriptor)),
    ownFiles: job.ownFiles,
    workingDir: Buffer.from(workingDirectory(job.plan.config)).toString("latin1"),
    allTime: job.allTime,
    defaultTime: job.defaultTime,
    maxBytes: job.maxBytes,
    verify: job.verifyWith !== undefined,
  };
}

function attribute(job: PackJob, readable: ReadableBlob, error: Error): Promise<unknown> {
  const message = `${job.nameOf(readable.descriptor)}: ${messageOf(error)}`;
  const { code, hint } = error instanceof DenrootError ? error : { code: "layer" as const };
  return fault(job.fetcher, readable, new DenrootError(code, message, { cause: error, hint }));
}

/** Layers are read while they arrive: damage on the way explains whatever was found in them. */
async function fault(fetcher: BlobFetcher, readable: ReadableBlob, error: Error): Promise<unknown> {
  try {
    await fetcher.verified(readable);
    return new LayerFailure(readable, error);
  } catch (transferError) {
    return transferError;
  }
}

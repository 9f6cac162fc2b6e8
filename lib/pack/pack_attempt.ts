/** One attempt to pack: the target and the threads that feed it, which all end together. */

import { Buffer } from "node:buffer";
import { abortedError, fromPlainError, hasCode } from "../errors.ts";
import { workingDirectory } from "../enroot/own_files.ts";
import { startWorker, type Worker } from "../system/worker.ts";
import { LayerOpener } from "./layer_opener.ts";
import type { PackJob } from "./pack_job.ts";
import type { PackInput, PackMessage, PackMode, PackRequest, PackResult } from "./pack_messages.ts";
import { type PackTarget, startTarget } from "./pack_target.ts";
import { WIDE_ENTRIES } from "./wide_directories.ts";

/** What has to be known before the target starts. */
export interface Attempt {
  readonly mode: PackMode;
  /** Permission bits of the root directory. */
  readonly rootMode: number;
}

type Restart = Extract<PackResult, { type: "restart" }>;

/** So many bytes of the stream pass between two flushes of the image to the disk. */
const FLUSH_BYTES = 128 * 1024 * 1024;
/** How long mksquashfs may take to end once it has stopped reading. */
const LAST_WORDS_MS = 1000;

export class PackAttempt implements AsyncDisposable {
  readonly #job: PackJob;
  readonly #target: PackTarget;
  readonly #layers: LayerOpener;
  readonly #worker: Worker;
  /** Rejects with the first thing that goes wrong, whichever part it comes from. */
  readonly #failure = Promise.withResolvers<never>();
  #result = Promise.withResolvers<PackResult>();
  #flushedBytes = 0;
  #isPublished = false;

  static async start(job: PackJob, attempt: Attempt): Promise<PackAttempt> {
    return new PackAttempt(job, attempt, await startTarget(job, attempt.rootMode));
  }

  private constructor(job: PackJob, attempt: Attempt, target: PackTarget) {
    this.#job = job;
    this.#target = target;
    this.#layers = new LayerOpener(job, this.#failure.reject);
    this.#worker = startWorker("lib/pack/pack_worker.ts", packInput(job, attempt, target));
    this.#worker.on("message", (message: PackMessage) => this.#take(message));
    this.#worker.on("error", this.#failure.reject);
    // It may have come while mksquashfs was started.
    if (job.signal.aborted) this.#abort();
    else job.signal.addEventListener("abort", this.#abort, { once: true });
    job.fetcher.failure.catch(this.#failure.reject);
    target.failure.catch(this.#failure.reject);
    this.#failure.promise.catch(() => {});
  }

  /** Gives the image's size in bytes, or how to start again. */
  async run(): Promise<number | Restart> {
    const result = await this.#stream();
    if (result.type === "restart") return result;
    if (result.type === "end") warnOfCappedTimes(this.#job, result.latestTime);
    await this.#unlessFailed(this.#job.fetcher.finished());
    const image = await this.#unlessFailed(this.#target.finish());
    await this.#verify(image);
    const size = this.#target.publish();
    this.#isPublished = true;
    return size;
  }

  /** Ends everything; removes an image that was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#job.signal.removeEventListener("abort", this.#abort);
    // In this order: the worker may be blocked in a write until mksquashfs is gone.
    if (!this.#isPublished) await this.#target.abort();
    await Promise.all([this.#worker.terminate(), this.#layers.close()]);
    this.#target.close();
  }

  /** Waits until the pack worker has written the whole stream. */
  async #stream(): Promise<PackResult> {
    try {
      return await this.#unlessFailed(this.#result.promise);
    } catch (error) {
      throw hasCode(error, "squashfs") ? await this.#lastWords(error) : error;
    }
  }

  /** The last words of mksquashfs explain more than the broken connection to it. */
  async #lastWords(error: Error): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(resolve, LAST_WORDS_MS, error);
    this.#target.failure.catch(resolve);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async #verify(image: string): Promise<void> {
    const unsquashfs = verifierOf(this.#job);
    if (unsquashfs === undefined) return;
    this.#result = Promise.withResolvers();
    const request: PackRequest = { type: "verify", image, unsquashfs };
    this.#worker.postMessage(request);
    await this.#unlessFailed(this.#result.promise);
  }

  #take(message: PackMessage): void {
    switch (message.type) {
      case "open":
        this.#open(message).catch(this.#failure.reject);
        break;
      case "packed":
        this.#job.onProgress({
          type: this.#job.output.type === "tree" ? "written" : "packed",
          bytes: message.bytes,
        });
        this.#flush(message.bytes);
        break;
      case "note":
        this.#job.onProgress({ type: "log", level: "warn", message: message.message });
        break;
      case "wide":
        warnOfWidth(this.#job, message.directory);
        break;
      case "failed":
        this.#fail(fromPlainError(message.error), message.layer);
        break;
      default:
        this.#result.resolve(message);
    }
  }

  async #open({ layer, pass, next }: PackMessage & { readonly type: "open" }): Promise<void> {
    const chunks = await this.#layers.open(layer, pass, next);
    this.#worker.postMessage({ type: "layer", chunks } satisfies PackRequest, [chunks]);
  }

  #flush(bytes: number): void {
    if (bytes - this.#flushedBytes < FLUSH_BYTES) return;
    this.#flushedBytes = bytes;
    this.#target.flush();
  }

  #fail(error: Error, layer: number | undefined): void {
    if (layer === undefined) this.#failure.reject(error);
    else this.#layers.blame(layer, error).then(this.#failure.reject, this.#failure.reject);
  }

  readonly #abort = () => this.#failure.reject(abortedError(this.#job.signal));

  #unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failure.promise]);
  }
}

function packInput(job: PackJob, { mode }: Attempt, { output }: PackTarget): PackInput {
  return {
    mode,
    output,
    layerNames: job.plan.layers.map(({ descriptor }) => job.nameOf(descriptor)),
    ownFiles: job.ownFiles,
    workingDir: Buffer.from(workingDirectory(job.plan.config)).toString("latin1"),
    allTime: job.allTime,
    defaultTime: job.defaultTime,
    maxBytes: job.maxBytes,
    keepLedger: verifierOf(job) !== undefined,
    watchWidths: job.output.type === "image" &&
      !job.output.squash.mksquashfs.takesWideDirectories,
  };
}

function verifierOf({ output }: PackJob): string | undefined {
  return output.type === "image" ? output.verifyWith : undefined;
}

function warnOfCappedTimes({ output, onProgress }: PackJob, latestTime: number): void {
  if (output.type !== "image") return;
  const { mksquashfs, time } = output.squash;
  if (mksquashfs.setsRootTime || latestTime <= time) return;
  const latest = new Date(time * 1000).toISOString();
  onProgress({
    type: "log",
    level: "warn",
    message: `mksquashfs ${mksquashfs.version} cannot keep the times of files after ${latest} ` +
      "and sets them to that; mksquashfs 4.6 and later keep them",
  });
}

function warnOfWidth({ output, onProgress }: PackJob, directory: string): void {
  if (output.type !== "image") return;
  const { path, version } = output.squash.mksquashfs;
  onProgress({
    type: "log",
    level: "warn",
    message: `The directory '${directory}' has ${WIDE_ENTRIES} entries or more, and ${path} ` +
      `${version} compares each with all the others: it needs half a minute for 100,000 and an ` +
      "hour for a million. The mksquashfs that denroot's executable carries needs seconds",
  });
}

/**
 * Brings an image's blobs into the cache, in the order in which they are needed: all connections
 * work on the front of that order, on segments of a blob if need be, so that the layer that is being
 * packed never waits for one that comes later. A blob that another process fetches is left to it.
 */

import { abortedError, DenrootError, hasCode } from "../errors.ts";
import { type Holder, Lease } from "../system/files/lease.ts";
import { freeBytes } from "../system/free_bytes.ts";
import type { Descriptor } from "../types/image.ts";
import type { BlobPlace, ImageSource, LocalBlob } from "../types/source.ts";
import { ArrivingBlob, type Segment } from "./arriving_blob.ts";
import { type AwaitedBlob, AwaitedBlobs } from "./awaited_blobs.ts";
import type { BlobCache } from "./blob_cache.ts";
import { Download } from "./download.ts";
import { insertInOrder } from "./insert_in_order.ts";
import { WaitLog } from "./wait_log.ts";

/** Small enough that many connections together fill the front of a blob evenly. */
const SEGMENT_SIZE = 4 * 1024 * 1024;
/**
 * With all connections from the start, each would have a small share of the bandwidth, and packing
 * would wait for the first segment while the bytes of the tenth arrive.
 */
const FIRST_CONNECTIONS = 2;

/** Where a blob's bytes can be read, now or soon. */
export interface ReadableBlob {
  readonly descriptor: Descriptor;
  readonly place: BlobPlace;
  /** Whether the blob lies in the cache, or elsewhere on this machine, or is on its way. */
  readonly origin: "cache" | "local" | "download";
  /** While the blob is on its way. */
  readonly blob?: ArrivingBlob;
  /** Another user may write there, so that one reading says nothing about the next. */
  readonly othersMayWrite: boolean;
}

export interface FetchOptions {
  readonly source: ImageSource;
  readonly cache: BlobCache;
  readonly connections: number;
  readonly signal: AbortSignal;
  /** What messages call a blob. */
  readonly nameOf: (descriptor: Descriptor) => string;
  /** A blob is here without a transfer by this process. */
  readonly onFound?: (descriptor: Descriptor) => void;
  /** More bytes of a blob are here. */
  readonly onReceived?: (descriptor: Descriptor, received: number) => void;
  /** A line for the log: for which process this one waits, or which blob it takes over. */
  readonly onLog?: (message: string) => void;
}

/** A blob that is not here, and that nobody fetches as far as is known. */
interface MissingBlob {
  readonly descriptor: Descriptor;
  /** The process that began to fetch it. */
  readonly givenUpBy?: Holder;
}

export class BlobFetcher {
  readonly #options: FetchOptions;
  readonly #abort = new AbortController();
  readonly #readables = new Map<string, PromiseWithResolvers<ReadableBlob>>();
  /** The position of each digest in the order of need. */
  readonly #ranks: ReadonlyMap<string, number>;
  /** In the order of need, as the downloads are. */
  readonly #missing: MissingBlob[] = [];
  readonly #awaited: AwaitedBlobs;
  /** Only those under way. */
  readonly #downloads: Download[] = [];
  readonly #log: WaitLog;
  readonly #letAge: () => void;
  readonly #onAbort = () => this.#fail(abortedError(this.#options.signal));
  #running = 0;
  /** Grows with every request that ended: see {@link FIRST_CONNECTIONS}. */
  #allowed: number;
  #ranges = true;
  #failure: unknown;
  #failed: (error: unknown) => void = () => {};
  /** Rejects when any blob cannot be had. */
  readonly failure: Promise<never>;

  /** Begins at once; `descriptors` in the order of need. */
  constructor(descriptors: readonly Descriptor[], options: FetchOptions) {
    this.#options = options;
    this.#allowed = Math.min(FIRST_CONNECTIONS, options.connections);
    this.#ranks = new Map(descriptors.map(({ digest }, index) => [digest, index]));
    this.failure = new Promise((_, reject) => this.#failed = reject);
    this.failure.catch(() => {});
    this.#letAge = options.cache.keepUsed([...this.#ranks.keys()]);
    this.#log = new WaitLog(options.nameOf, options.onLog);
    this.#awaited = new AwaitedBlobs({
      rankOf: (descriptor) => this.#rankOf(descriptor),
      holderOf: ({ digest }) => options.cache.holder(digest),
      onHeld: (blob) => this.#log.waiting(blob),
      onFree: (blobs) => this.#resume(blobs),
      onError: (error) => this.#fail(error),
    });
    if (options.signal.aborted) this.#onAbort();
    else options.signal.addEventListener("abort", this.#onAbort, { once: true });
    for (const descriptor of descriptors) {
      if (this.#readables.has(descriptor.digest)) continue;
      this.#readables.set(descriptor.digest, Promise.withResolvers());
      this.#attempt(descriptor, () => this.#locate(descriptor));
    }
    this.#startRequests();
  }

  /** Where to read a blob. Resolves when the blob is here, or its transfer has begun. */
  readable(descriptor: Descriptor): Promise<ReadableBlob> {
    return Promise.race([this.#readables.get(descriptor.digest)!.promise, this.failure]);
  }

  /** Waits until a blob is verified, if it is on its way. Rejects when its bytes are wrong. */
  async verified(readable: ReadableBlob): Promise<void> {
    const download = this.#downloads.find(({ blob }) => blob === readable.blob);
    await Promise.race([download?.done, this.failure]);
  }

  /** Waits until all blobs are verified and in the cache. */
  async finished(): Promise<void> {
    const readables = [...this.#readables.values()].map(({ promise }) => promise);
    await Promise.race([Promise.all(readables), this.failure]);
    await Promise.race([Promise.all(this.#downloads.map(({ done }) => done)), this.failure]);
  }

  /** Ends all transfers. What is incomplete stays in the cache, for a later run. */
  async close(): Promise<void> {
    this.#fail(new DenrootError("aborted", "The transfer was ended"));
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#letAge();
    await Promise.all(this.#downloads.map((download) => download.close()));
  }

  #locate(descriptor: Descriptor): void {
    const { source, cache } = this.#options;
    const local = source.place?.(descriptor);
    if (local !== undefined) return this.#found(descriptor, local, "local");
    const cached = cache.find(descriptor);
    if (cached !== undefined) return this.#found(descriptor, inCache(cached), "cache");
    if (source.blob === undefined) throw notThere();
    this.#missing.push({ descriptor });
  }

  #found(descriptor: Descriptor, place: LocalBlob, origin: "cache" | "local"): void {
    this.#options.onFound?.(descriptor);
    // As if its request had ended: the configuration is here, say, and as many layers may begin.
    const atOnce = Math.min(FIRST_CONNECTIONS + 1, this.#options.connections);
    this.#allowed = Math.max(this.#allowed, atOnce);
    const othersMayWrite = origin === "cache" && this.#options.cache.othersMayWrite;
    this.#readables.get(descriptor.digest)!.resolve({ descriptor, place, origin, othersMayWrite });
  }

  /** Whether another process has brought the blob meanwhile. */
  #findNew(descriptor: Descriptor): boolean {
    const path = this.#options.cache.findNew(descriptor);
    if (path !== undefined) this.#found(descriptor, inCache(path), "cache");
    return path !== undefined;
  }

  #startRequests(): void {
    while (this.#running < this.#allowed && this.#failure === undefined) {
      const download = this.#nextDownload();
      if (download === undefined) return;
      const segment = download.blob.pending.shift()!;
      this.#running++;
      this.#request(download, segment)
        .catch((error) => this.#fail(this.#named(download.descriptor, error)))
        .finally(() => {
          this.#running--;
          this.#allowed = Math.min(this.#allowed + 1, this.#options.connections);
          this.#startRequests();
        });
    }
  }

  /** The download that needs a request most; it may begin here. */
  #nextDownload(): Download | undefined {
    while (this.#failure === undefined) {
      const download = this.#downloads.find(({ blob }) => blob.pending.length > 0);
      const missing = this.#missing[0];
      if (missing === undefined || this.#awaited.isFull) return download;
      const isFirst = download !== undefined &&
        this.#rankOf(download.descriptor) < this.#rankOf(missing.descriptor);
      if (isFirst) return download;
      this.#missing.shift();
      this.#attempt(missing.descriptor, () => this.#begin(missing));
    }
    return undefined;
  }

  /** Begins a download, or leaves it to the process that is at it. */
  #begin({ descriptor, givenUpBy }: MissingBlob): void {
    if (this.#findNew(descriptor)) return;
    const lease = this.#options.cache.lease(descriptor.digest);
    if (!(lease instanceof Lease)) return this.#awaited.add({ descriptor, holder: lease });
    // Another process may have finished it between the look and the lease.
    if (this.#findNew(descriptor)) return lease.release();
    if (givenUpBy !== undefined) this.#log.takeover(descriptor, givenUpBy);
    const ingest = this.#options.cache.ingest(descriptor);
    const blob = new ArrivingBlob(descriptor, ingest, this.#ranges ? SEGMENT_SIZE : Infinity);
    const download = new Download(blob, lease);
    insertInOrder(this.#downloads, download, (one) => this.#rankOf(one.descriptor));
    if (download.isToCommit) this.#commit(download);
    else if (this.#ranges) this.#resumeEarlier(download);
    const place = { type: "download", paths: blob.paths } as const;
    const { othersMayWrite } = this.#options.cache;
    const readable = { descriptor, place, origin: "download", blob, othersMayWrite } as const;
    this.#readables.get(descriptor.digest)!.resolve(readable);
  }

  /** Goes on with what an earlier run left of the blob. */
  #resumeEarlier(download: Download): void {
    const { descriptor } = download;
    const { cache, nameOf, onLog, onReceived } = this.#options;
    const file = cache.partials([descriptor]).get(descriptor.digest);
    if (file === undefined) return;
    const received = download.takeOver(file, (error) => {
      if (error !== undefined) this.#fail(this.#named(descriptor, error));
      else if (download.isToCommit) this.#commit(download);
    });
    if (received === 0) return;
    const part = `${Math.floor(100 * received / descriptor.size)} %`;
    onLog?.(`${nameOf(descriptor)} is resumed: ${part} of it are here from an earlier run`);
    onReceived?.(descriptor, received);
  }

  /** Other processes have finished these blobs, or given them up. */
  #resume(blobs: readonly AwaitedBlob[]): void {
    for (const { descriptor, holder } of blobs) {
      if (this.#findNew(descriptor)) continue;
      const missing = { descriptor, givenUpBy: holder };
      insertInOrder(this.#missing, missing, (one) => this.#rankOf(one.descriptor));
    }
    this.#startRequests();
  }

  async #request(download: Download, segment: Segment): Promise<void> {
    const { blob, requests } = download;
    const { descriptor } = blob;
    const signal = AbortSignal.any([this.#abort.signal, requests]);
    const { end } = segment;
    const start = segment.start + segment.received;
    const range = end - start === descriptor.size ? undefined : { start, end };
    try {
      const bytes = this.#options.source.blob!(descriptor, range, signal);
      for await (const chunk of bytes) {
        if (signal.aborted) return;
        blob.write(segment, chunk);
        // A garbage collection comes too late where a fast network fills hundreds of megabytes.
        freeBytes(chunk);
        this.#options.onReceived?.(descriptor, blob.received);
      }
    } catch (error) {
      if (requests.aborted) return;
      if (!hasCode(error, "range_unsupported")) throw error;
      this.#withoutRanges(download);
      return;
    }
    if (signal.aborted) return;
    if (segment.start + segment.received !== segment.end) throw incomplete(segment);
    if (download.isToCommit) this.#commit(download);
  }

  /** The server ignores ranges: each blob that has no bytes yet is asked for in one piece. */
  #withoutRanges(failed: Download): void {
    this.#ranges = false;
    for (const download of this.#downloads) {
      if (download === failed || download.blob.received === 0) download.restart();
    }
  }

  #commit(download: Download): void {
    download.commit()
      .then(() => this.#downloads.splice(this.#downloads.indexOf(download), 1))
      .catch((error) => this.#fail(this.#named(download.descriptor, error)));
  }

  #rankOf({ digest }: Descriptor): number {
    return this.#ranks.get(digest)!;
  }

  /** An error of `work` is the blob's, and ends all transfers. */
  #attempt(descriptor: Descriptor, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(this.#named(descriptor, error));
    }
  }

  #named(descriptor: Descriptor, error: unknown): unknown {
    if (!(error instanceof DenrootError) || error.code === "aborted") return error;
    // A source names the blob by its digest, and so does nameOf().
    const what = error.message.replace(`Blob ${descriptor.digest}: `, "");
    const message = `${this.#options.nameOf(descriptor)}: ${what}`;
    return new DenrootError(error.code, message, { cause: error, hint: error.hint });
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#awaited.stop();
    this.#abort.abort();
    this.#failed(error);
  }
}

/** Without this error, readers would wait for the missing bytes for ever. */
function incomplete({ start, end, received }: Segment): DenrootError {
  return new DenrootError("network", `${received} bytes arrived instead of ${end - start}`);
}

function inCache(path: string): LocalBlob {
  return { type: "file", path, offset: 0, checkedBy: "digest" };
}

function notThere(): DenrootError {
  return new DenrootError("not_found", "The source has no such blob");
}

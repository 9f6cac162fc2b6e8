/**
 * Brings an image's blobs into the cache, in the order in which they are needed: all connections
 * work on the front of that order, on segments of a blob where need be, so that the layer that is
 * being packed never waits for one that comes later.
 */

import { DenrootError, hasCode } from "../errors.ts";
import type { Descriptor } from "../types/image.ts";
import type { BlobPlace, ImageSource, LocalBlob } from "../types/source.ts";
import type { BlobCache, BlobLock } from "./blob_cache.ts";
import { ArrivingBlob, type Segment } from "./arriving_blob.ts";

/** Small enough that many connections together fill the front of a blob evenly. */
const SEGMENT_SIZE = 4 * 1024 * 1024;
/**
 * With all connections from the start, each would have a small share of the line, and packing would
 * wait for the first segment while the bytes of the tenth arrive.
 */
const FIRST_CONNECTIONS = 2;
/** How often to look whether another process has finished a blob. */
const POLL_MS = 200;

/** Where a layer's bytes can be read, now or soon. */
export interface ReadableBlob {
  readonly descriptor: Descriptor;
  readonly place: BlobPlace;
  /** Whether it lies in the cache, or elsewhere on this machine, or is on its way. */
  readonly origin: "cache" | "local" | "download";
  /** While it is on its way. */
  readonly blob?: ArrivingBlob;
}

export interface FetchOptions {
  readonly source: ImageSource;
  readonly cache: BlobCache;
  readonly connections: number;
  readonly signal: AbortSignal;
  /** What messages call a blob. */
  readonly nameOf: (descriptor: Descriptor) => string;
  /** A blob lay on this machine already. */
  readonly onFound?: (descriptor: Descriptor) => void;
  /** More bytes of a blob are here. */
  readonly onReceived?: (descriptor: Descriptor, received: number) => void;
}

interface Download {
  readonly blob: ArrivingBlob;
  readonly lock: BlobLock;
  /** Resolves when the blob is verified and in the cache. */
  readonly done: PromiseWithResolvers<void>;
  committed: boolean;
  /** Ends the requests that are under way for it. */
  requests: AbortController;
}

export class BlobFetcher {
  readonly #options: FetchOptions;
  readonly #abort = new AbortController();
  readonly #readables = new Map<string, Promise<ReadableBlob>>();
  /** The place of each digest in the order of need. */
  readonly #ranks: ReadonlyMap<string, number>;
  /** In the order of need. */
  #downloads: Download[] = [];
  readonly #commits: Promise<void>[] = [];
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
    const abort = () => this.#fail(options.signal.reason);
    if (options.signal.aborted) abort();
    else options.signal.addEventListener("abort", abort, { once: true });
    for (const descriptor of descriptors) {
      if (this.#readables.has(descriptor.digest)) continue;
      const readable = this.#begin(descriptor);
      readable.catch((error) => this.#fail(this.#named(descriptor, error)));
      this.#readables.set(descriptor.digest, readable);
    }
  }

  /** Where to read a blob; settles once it is known who brings it. */
  readable(descriptor: Descriptor): Promise<ReadableBlob> {
    return Promise.race([this.#readables.get(descriptor.digest)!, this.failure]);
  }

  /** Waits until a blob is verified, if it is on its way. Rejects when it is not what it should be. */
  async verified(readable: ReadableBlob): Promise<void> {
    const download = this.#downloads.find(({ blob }) => blob === readable.blob);
    await Promise.race([download?.done.promise, this.failure]);
  }

  /** Waits until all blobs are verified and in the cache. */
  async finished(): Promise<void> {
    await Promise.race([Promise.all(this.#readables.values()), this.failure]);
    await Promise.race([
      Promise.all(this.#downloads.map(({ done }) => done.promise)),
      this.failure,
    ]);
  }

  /** Ends all transfers; removes what is incomplete. */
  async close(): Promise<void> {
    this.#fail(new DenrootError("aborted", "The transfer was ended"));
    await Promise.allSettled(this.#commits);
    for (const { blob, lock } of this.#downloads) {
      blob.close();
      lock.release();
    }
  }

  async #begin(descriptor: Descriptor): Promise<ReadableBlob> {
    const { source, cache } = this.#options;
    for (;;) {
      const local = source.place?.(descriptor);
      if (local !== undefined) return this.#found(descriptor, local, "local");
      const cached = cache.find(descriptor);
      if (cached !== undefined) return this.#found(descriptor, inCache(cached), "cache");
      if (source.blob === undefined) throw notThere();
      const lock = cache.lock(descriptor.digest);
      if (lock !== undefined) return this.#download(descriptor, lock);
      await this.#pause();
    }
  }

  #found(descriptor: Descriptor, place: LocalBlob, origin: "cache" | "local"): ReadableBlob {
    this.#options.onFound?.(descriptor);
    return { descriptor, place, origin };
  }

  #download(descriptor: Descriptor, lock: BlobLock): ReadableBlob {
    // Another process may have finished it between the look and the lock.
    const path = this.#options.cache.find(descriptor);
    if (path !== undefined) {
      lock.release();
      return this.#found(descriptor, inCache(path), "cache");
    }
    const blob = new ArrivingBlob(
      descriptor,
      this.#options.cache.ingest(descriptor),
      this.#ranges ? SEGMENT_SIZE : Infinity,
    );
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    const download: Download = {
      blob,
      lock,
      done,
      committed: false,
      requests: new AbortController(),
    };
    this.#insert(download);
    if (descriptor.size === 0) this.#commit(download);
    this.#startRequests();
    const place = { type: "download", paths: blob.paths } as const;
    return { descriptor, place, origin: "download", blob };
  }

  /** Nearly always at the end: only what another process gave up comes later than its turn. */
  #insert(download: Download): void {
    const rank = (one: Download) => this.#ranks.get(one.blob.descriptor.digest)!;
    const before = this.#downloads.findLastIndex((other) => rank(other) <= rank(download));
    this.#downloads.splice(before + 1, 0, download);
  }

  #startRequests(): void {
    while (this.#running < this.#allowed && this.#failure === undefined) {
      const download = this.#downloads.find(({ blob }) => blob.pending.length > 0);
      if (download === undefined) return;
      const segment = download.blob.pending.shift()!;
      this.#running++;
      this.#request(download, segment)
        .catch((error) => this.#fail(this.#named(download.blob.descriptor, error)))
        .finally(() => {
          this.#running--;
          this.#allowed = Math.min(this.#allowed + 1, this.#options.connections);
          this.#startRequests();
        });
    }
  }

  async #request(download: Download, segment: Segment): Promise<void> {
    const { blob, requests } = download;
    const { descriptor } = blob;
    const signal = AbortSignal.any([this.#abort.signal, requests.signal]);
    const whole = segment.end - segment.start === descriptor.size;
    try {
      const bytes = this.#options.source.blob!(descriptor, whole ? undefined : segment, signal);
      for await (const chunk of bytes) {
        if (signal.aborted) return;
        blob.write(segment, chunk);
        this.#options.onReceived?.(descriptor, blob.received);
      }
    } catch (error) {
      if (requests.signal.aborted) return;
      if (!hasCode(error, "range_unsupported")) throw error;
      this.#withoutRanges(download);
      return;
    }
    if (signal.aborted) return;
    if (segment.start + segment.received !== segment.end) throw incomplete(segment);
    if (blob.complete && !download.committed) this.#commit(download);
  }

  /** The server ignores ranges: what has not begun is asked for in one piece. */
  #withoutRanges(failed: Download): void {
    this.#ranges = false;
    for (const download of this.#downloads) {
      if (download !== failed && download.blob.received > 0) continue;
      download.requests.abort();
      download.requests = new AbortController();
      download.blob.split(Infinity);
    }
  }

  #commit(download: Download): void {
    const { blob, lock, done } = download;
    // The requests for a blob's last segments may end in any order, the last byte long here.
    download.committed = true;
    const commit = blob.commit().then(() => {
      lock.release();
      done.resolve();
    });
    commit.catch((error) => this.#fail(this.#named(blob.descriptor, error)));
    this.#commits.push(commit);
  }

  #named(descriptor: Descriptor, error: unknown): unknown {
    if (!(error instanceof DenrootError) || error.code === "aborted") return error;
    const message = `${this.#options.nameOf(descriptor)}: ${error.message}`;
    return new DenrootError(error.code, message, { cause: error, hint: error.hint });
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#abort.abort();
    this.#failed(error);
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Without this, everybody would wait for the rest for ever. */
function incomplete({ start, end, received }: Segment): DenrootError {
  return new DenrootError("network", `${received} bytes arrived instead of ${end - start}`);
}

function inCache(path: string): LocalBlob {
  return { type: "file", path, offset: 0, checkedBy: "digest" };
}

function notThere(): DenrootError {
  return new DenrootError("not_found", "It is not there");
}

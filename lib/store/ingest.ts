/** The two ways of a blob into the cache: its digest is known before, or only at its end. */

import { createHash } from "node:crypto";
import fs from "node:fs";
import { AtomicFile } from "../system/files/atomic_file.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { BlobWriter } from "../types/source.ts";
import { cacheError, isForbidden } from "./cache_error.ts";
import { decodeRecord, encodeRecord, type Stretch } from "./partial_record.ts";

/** Enough for a blob of a terabyte. */
const MAX_RECORD = 4 * 1024 * 1024;

/** Where an {@link Ingest} writes. */
export interface IngestPlaces {
  readonly temporary: string;
  readonly final: string;
  /** Where an unfinished blob is left for a later process. */
  readonly partial: string;
}

/** What an {@link Ingest} and a {@link Spool} ask of their cache. */
export interface IngestCache {
  readonly root: string;
  readonly fileMode: number;
  /** Makes the directory of a blob. Throws the system's errors. */
  makeDirectoryOf(file: string): void;
  /** The verified blob stays under its temporary name, because it cannot get its own. */
  keepUnpublished(digest: Digest, file: AtomicFile): void;
}

/** A blob whose digest is known, written in any order. All methods throw code `space` or `file`. */
export class Ingest {
  /** Where the blob is now, and where it will be: a reader tries both in turn. */
  readonly paths: readonly [temporary: string, final: string];
  readonly #cache: IngestCache;
  readonly #descriptor: Pick<Descriptor, "digest" | "size">;
  readonly #partial: string;
  /** It is created at the first byte: an image may have thousands of layers. */
  readonly #file: AtomicFile;
  #hasRecord = false;
  #isFull = false;
  #isKept = false;

  constructor(
    cache: IngestCache,
    descriptor: Pick<Descriptor, "digest" | "size">,
    { temporary, final, partial }: IngestPlaces,
  ) {
    this.#cache = cache;
    this.#descriptor = descriptor;
    this.#partial = partial;
    this.#file = new AtomicFile(temporary, { mode: cache.fileMode });
    this.paths = [temporary, final];
  }

  /** Goes on with a file that another process left, if it can; gives what of the blob is in it. */
  takeOver(file: string): Stretch[] {
    return inCache(this.#cache.root, () => {
      if (!this.#file.takeOver(file)) return [];
      this.#hasRecord = true;
      const { size } = this.#descriptor;
      const record = new Uint8Array(Math.min(MAX_RECORD, Math.max(0, this.#file.size - size)));
      return decodeRecord(record.subarray(0, this.#file.read(record, size)), size);
    });
  }

  write(bytes: Uint8Array, position: number): void {
    try {
      this.#file.write(bytes, position);
    } catch (cause) {
      const error = cacheError(this.#cache.root, cause);
      // What fills a disk should not stay there.
      this.#isFull ||= error.code === "space";
      throw error;
    }
  }

  /** Writes down what of the blob is there, for a later process. */
  record(stretches: readonly Stretch[]): void {
    const record = encodeRecord(stretches);
    this.write(record, this.#descriptor.size);
    this.#file.truncate(this.#descriptor.size + record.length);
    this.#hasRecord = true;
  }

  /** Reads back into `buffer`. Returns the count of bytes. */
  read(buffer: Uint8Array, position: number): number {
    return inCache(this.#cache.root, () => this.#file.read(buffer, position));
  }

  /** Gives the verified blob its name. */
  async commit(): Promise<void> {
    try {
      this.#file.create();
      if (this.#hasRecord) this.#file.truncate(this.#descriptor.size);
      this.#cache.makeDirectoryOf(this.paths[1]);
      // A slow disk needs long for the gigabyte of an image. Nothing relies on it after a power
      // failure: each reader verifies the blob or its content, and a torn one is fetched again.
      await this.#file.publish(this.paths[1], { replace: true, durable: false });
    } catch (cause) {
      if (!isForbidden(cause)) throw cacheError(this.#cache.root, cause);
      this.#cache.keepUnpublished(this.#descriptor.digest, this.#file);
      this.#isKept = true;
    } finally {
      this.close();
    }
  }

  /** Leaves the unfinished blob for a later process. It goes away if that cannot be done. */
  leave(stretches: readonly Stretch[]): void {
    try {
      if (this.#isFull) return;
      this.record(stretches);
      this.#file.leaveAs(this.#partial);
    } catch {
      // The failure that led here matters more.
    } finally {
      this.close();
    }
  }

  /** Closes the file, and removes it unless it was committed or left. */
  close(): void {
    if (!this.#isKept) this.#file.close();
  }
}

/** A blob that is written front to back, and named by what it turns out to be. */
export class Spool implements BlobWriter {
  readonly #cache: IngestCache;
  readonly #file: AtomicFile;
  readonly #pathOf: (digest: Digest) => string;
  readonly #hash = createHash("sha256");
  #size = 0;
  /** Where the blob was put, if it was not there before. */
  #added: string | undefined;
  #isKept = false;

  constructor(cache: IngestCache, temporary: string, pathOf: (digest: Digest) => string) {
    this.#cache = cache;
    this.#file = new AtomicFile(temporary, { mode: cache.fileMode });
    this.#pathOf = pathOf;
    inCache(cache.root, () => this.#file.create());
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    inCache(this.#cache.root, () => this.#file.write(bytes, this.#size));
    this.#size += bytes.length;
  }

  async commit(): Promise<{ readonly digest: Digest; readonly size: number }> {
    const digest = `sha256:${this.#hash.digest("hex")}`;
    const final = this.#pathOf(digest);
    try {
      this.#cache.makeDirectoryOf(final);
      // It reaches the disk before it has its name: an engine's torn layer would fail an import.
      const isNew = await this.#file.publish(final, { replace: false });
      if (isNew) this.#added = final;
      // The copy that is there may be damaged.
      else await this.#file.publish(final, { replace: true });
    } catch (cause) {
      if (!isForbidden(cause)) throw cacheError(this.#cache.root, cause);
      this.#cache.keepUnpublished(digest, this.#file);
      this.#isKept = true;
    }
    return { digest, size: this.#size };
  }

  close(): void {
    if (!this.#isKept) this.#file.close();
  }

  takeBack(): void {
    if (this.#added !== undefined) fs.rmSync(this.#added, { force: true });
  }
}

function inCache<T>(root: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cacheError(root, cause);
  }
}

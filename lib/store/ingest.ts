/** The two ways of a blob into the cache: its digest is known before, or only at its end. */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { AtomicFile } from "../system/files/atomic_file.ts";
import type { Digest } from "../types/image.ts";
import type { BlobWriter } from "../types/source.ts";
import { cacheError } from "./cache_error.ts";

/** A blob whose digest is known, written in any order. All methods throw code `space` or `file`. */
export class Ingest {
  /** Where the blob is now, and where it will be: a reader tries both in turn. */
  readonly paths: readonly [temporary: string, final: string];
  readonly #root: string;
  /** It is created at the first byte: an image may have thousands of layers. */
  readonly #file: AtomicFile;

  constructor(root: string, temporary: string, final: string) {
    this.#root = root;
    this.#file = new AtomicFile(temporary);
    this.paths = [temporary, final];
  }

  write(bytes: Uint8Array, position: number): void {
    inCache(this.#root, () => this.#file.write(bytes, position));
  }

  /** Reads back into `buffer`. Returns the count of bytes. */
  read(buffer: Uint8Array, position: number): number {
    return inCache(this.#root, () => this.#file.read(buffer, position));
  }

  /** Writes the verified blob to the disk and gives it its name. */
  async commit(): Promise<void> {
    try {
      this.#file.create();
      makeDirectoryOf(this.paths[1]);
      await this.#file.publish(this.paths[1], { replace: true });
    } catch (cause) {
      throw cacheError(this.#root, cause);
    } finally {
      this.close();
    }
  }

  /** Closes the file, and removes it unless it was committed. */
  close(): void {
    this.#file.close();
  }
}

/** A blob that is written front to back, and named by what it turns out to be. */
export class Spool implements BlobWriter {
  readonly #root: string;
  readonly #file: AtomicFile;
  readonly #pathOf: (digest: Digest) => string;
  readonly #hash = createHash("sha256");
  #size = 0;
  /** Where the blob was put, if it was not there before. */
  #added: string | undefined;

  constructor(root: string, temporary: string, pathOf: (digest: Digest) => string) {
    this.#root = root;
    this.#file = new AtomicFile(temporary);
    this.#pathOf = pathOf;
    inCache(root, () => this.#file.create());
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    inCache(this.#root, () => this.#file.write(bytes, this.#size));
    this.#size += bytes.length;
  }

  async commit(): Promise<{ readonly digest: Digest; readonly size: number }> {
    const digest = `sha256:${this.#hash.digest("hex")}`;
    const final = this.#pathOf(digest);
    try {
      makeDirectoryOf(final);
      const isNew = await this.#file.publish(final, { replace: false });
      if (isNew) this.#added = final;
      // The copy that is there may be damaged.
      else await this.#file.publish(final, { replace: true });
    } catch (cause) {
      throw cacheError(this.#root, cause);
    }
    return { digest, size: this.#size };
  }

  close(): void {
    this.#file.close();
  }

  takeBack(): void {
    if (this.#added !== undefined) fs.rmSync(this.#added, { force: true });
  }
}

function makeDirectoryOf(file: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
}

function inCache<T>(root: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cacheError(root, cause);
  }
}

/**
 * Blobs as the registry stores them, in an OCI image layout that many processes share: a blob is
 * there whole and verified, or not at all.
 */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { blobPath, parseDigest } from "../oci/digest.ts";
import {
  isMarkStale,
  processMark,
  removeLeftover,
  removeStale,
} from "../system/files/process_mark.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { BlobStore, BlobWriter } from "../types/source.ts";

/** Where unfinished blobs are written, beside `blobs/`. */
const INGEST = "ingest";
const LOCK = ".lock";
/** A lock that was not renewed for this long is left over, even from another host. */
const LOCK_STALE_MS = 60_000;
const LOCK_RENEW_MS = 10_000;

export class BlobCache implements BlobStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Makes the directories and removes what killed runs left. Throws code `file`. */
  open(): void {
    try {
      fs.mkdirSync(path.join(this.root, INGEST), { recursive: true, mode: 0o700 });
      this.#writeOnce("oci-layout", '{"imageLayoutVersion":"1.0.0"}');
      this.#writeOnce("index.json", '{"schemaVersion":2,"manifests":[]}');
      this.#removeStale();
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  /** The blob's file, when it is there with its full size; with any, when that is not known. */
  find({ digest, size }: { readonly digest: Digest; readonly size?: number }): string | undefined {
    const file = this.#blobPath(digest);
    try {
      const stored = fs.statSync(file).size;
      return size === undefined || size === stored ? file : undefined;
    } catch {
      return undefined;
    }
  }

  /** Throws a blob away that turned out to be damaged. */
  remove(digest: Digest): void {
    fs.rmSync(this.#blobPath(digest), { force: true });
  }

  /** A place for a blob that is to come. */
  ingest(descriptor: Descriptor): Ingest {
    const file = path.join(this.root, INGEST, `${hexOf(descriptor.digest)}@${processMark()}`);
    return new Ingest(this.root, file, this.#blobPath(descriptor.digest));
  }

  /** A place for a blob whose digest is known at its end only. */
  spool(): BlobWriter {
    this.open();
    const file = path.join(this.root, INGEST, `spool${spools++}@${processMark()}`);
    return new Spool(this.root, file, (digest) => this.#blobPath(digest));
  }

  /**
   * Says that this process downloads the blob; undefined when another does. No lock is needed for
   * the result to be right: it only saves doing the same work twice.
   */
  lock(digest: Digest): BlobLock | undefined {
    const file = path.join(this.root, INGEST, `${hexOf(digest)}${LOCK}`);
    const mark = processMark();
    try {
      fs.writeFileSync(file, mark, { flag: "wx", mode: 0o600 });
      return new BlobLock(file, mark);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cacheError(this.root, cause);
    }
    if (!isLockStale(file)) return undefined;
    fs.rmSync(file, { force: true });
    return this.lock(digest);
  }

  #blobPath(digest: Digest): string {
    return path.join(this.root, blobPath(digest));
  }

  #writeOnce(name: string, text: string): void {
    const file = path.join(this.root, name);
    if (!fs.existsSync(file)) fs.writeFileSync(file, text, { mode: 0o600 });
  }

  #removeStale(): void {
    const directory = path.join(this.root, INGEST);
    removeStale(directory, (name) => name.split("@")[1]);
    for (const name of fs.readdirSync(directory)) {
      const file = path.join(directory, name);
      if (name.endsWith(LOCK) && isLockStale(file)) removeLeftover(file);
    }
  }
}

/** A blob on its way into the cache. */
export class Ingest {
  /** Where it is now, and where it will be: a reader tries both in turn. */
  readonly paths: readonly [temporary: string, final: string];
  readonly #root: string;
  /** Open from the first byte on: an image may have thousands of layers. */
  #fd: number | undefined;
  #closed = false;

  constructor(root: string, temporary: string, final: string) {
    this.#root = root;
    this.paths = [temporary, final];
  }

  /** Throws code `space` or `file`. */
  write(bytes: Uint8Array, position: number): void {
    try {
      const fd = this.#open();
      let at = 0;
      while (at < bytes.length) {
        at += fs.writeSync(fd, bytes, at, bytes.length - at, position + at);
      }
    } catch (cause) {
      throw cacheError(this.#root, cause);
    }
  }

  /** Reads back into `buffer`; gives the count. */
  read(buffer: Uint8Array, position: number): number {
    return fs.readSync(this.#open(), buffer, 0, buffer.length, position);
  }

  /** Gives the verified blob its name, on the disk. */
  async commit(): Promise<void> {
    const [temporary, final] = this.paths;
    try {
      const fd = this.#open();
      await sync(fd);
      fs.mkdirSync(path.dirname(final), { recursive: true, mode: 0o700 });
      fs.renameSync(temporary, final);
    } catch (cause) {
      throw cacheError(this.#root, cause);
    } finally {
      this.close();
    }
  }

  /** Closes the file, and removes it unless it was committed. */
  close(): void {
    this.#closed = true;
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    this.#fd = undefined;
    fs.rmSync(this.paths[0], { force: true });
  }

  #open(): number {
    // A transfer that ends late must not bring back what was removed.
    if (this.#closed) throw new DenrootError("aborted", "The transfer was ended");
    return this.#fd ??= fs.openSync(this.paths[0], "wx+", 0o600);
  }
}

/** Of this process. */
let spools = 0;

/** A blob on its way into the cache, front to back, that is named by what it turns out to be. */
class Spool implements BlobWriter {
  readonly #root: string;
  readonly #file: string;
  readonly #pathOf: (digest: Digest) => string;
  readonly #hash = createHash("sha256");
  #fd: number | undefined;
  #size = 0;
  /** Where the blob was put that had not been there before. */
  #added: string | undefined;

  constructor(root: string, file: string, pathOf: (digest: Digest) => string) {
    this.#root = root;
    this.#file = file;
    this.#pathOf = pathOf;
    try {
      this.#fd = fs.openSync(file, "wx", 0o600);
    } catch (cause) {
      throw cacheError(root, cause);
    }
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    try {
      for (let at = 0; at < bytes.length;) at += fs.writeSync(this.#fd!, bytes, at);
    } catch (cause) {
      throw cacheError(this.#root, cause);
    }
    this.#size += bytes.length;
  }

  async commit(): Promise<{ readonly digest: Digest; readonly size: number }> {
    const digest = `sha256:${this.#hash.digest("hex")}`;
    const final = this.#pathOf(digest);
    try {
      await sync(this.#fd!);
      fs.mkdirSync(path.dirname(final), { recursive: true, mode: 0o700 });
      const isNew = !fs.existsSync(final);
      fs.renameSync(this.#file, final);
      if (isNew) this.#added = final;
    } catch (cause) {
      throw cacheError(this.#root, cause);
    }
    return { digest, size: this.#size };
  }

  close(): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    this.#fd = undefined;
    fs.rmSync(this.#file, { force: true });
  }

  takeBack(): void {
    if (this.#added !== undefined) fs.rmSync(this.#added, { force: true });
  }
}

function sync(fd: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fs.fdatasync(fd, (error) => error ? reject(error) : resolve())
  );
}

/** Kept alive until released. */
export class BlobLock {
  readonly #file: string;
  readonly #mark: string;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(file: string, mark: string) {
    this.#file = file;
    this.#mark = mark;
    this.#timer = setInterval(() => renew(file, mark), LOCK_RENEW_MS);
    this.#timer.unref();
  }

  release(): void {
    clearInterval(this.#timer);
    if (isHeldBy(this.#file, this.#mark)) fs.rmSync(this.#file, { force: true });
  }
}

function renew(file: string, mark: string): void {
  try {
    if (isHeldBy(file, mark)) fs.utimesSync(file, new Date(), new Date());
  } catch {
    // It went away just now: both then download, and both are right.
  }
}

/** False when somebody took the lock for a stale one. */
function isHeldBy(file: string, mark: string): boolean {
  try {
    return fs.readFileSync(file, "latin1") === mark;
  } catch {
    return false;
  }
}

function isLockStale(file: string): boolean {
  try {
    if (isMarkStale(fs.readFileSync(file, "latin1"))) return true;
    return Date.now() - fs.statSync(file).mtimeMs > LOCK_STALE_MS;
  } catch {
    return true;
  }
}

function hexOf(digest: Digest): string {
  return parseDigest(digest).hex;
}

function cacheError(root: string, cause: unknown): DenrootError {
  if (cause instanceof DenrootError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DenrootError("space", `There is no room left in the cache ${root}`, {
      cause,
      hint: "Free some space there, or set ENROOT_CACHE_PATH to another directory",
    });
  }
  return new DenrootError("file", `The cache ${root} cannot be used: ${messageOf(cause)}`, {
    cause,
    hint: "Set ENROOT_CACHE_PATH to a directory that can be written",
  });
}

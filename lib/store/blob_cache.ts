/**
 * Blobs as the registry stores them, in an OCI image layout that many processes share: a blob is
 * there whole and verified, or not at all.
 */

import fs from "node:fs";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { blobPath, parseDigest } from "../oci/digest.ts";
import type { AtomicFile } from "../system/files/atomic_file.ts";
import {
  type Holder,
  type Lease,
  leaseHolder,
  leaseMark,
  takeLease,
} from "../system/files/lease.ts";
import { refreshAll, removeOld, removeStale } from "../system/files/leftovers.ts";
import { type Life, lifeOf, processMark } from "../system/files/process_mark.ts";
import { SilenceWatch } from "../system/files/silence_watch.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { BlobStore, BlobWriter } from "../types/source.ts";
import { cacheError } from "./cache_error.ts";
import { Ingest, type IngestCache, Spool } from "./ingest.ts";
import { makeSharedDirectory, type Sharing, sharingOf } from "./sharing.ts";

/** Where unfinished blobs and leases are, beside `blobs/`. */
const INGEST = "ingest";
const LEASE = ".lock";
/** An unfinished blob that no process works on: `HEX.partial`. */
const PARTIAL = ".partial";
/** A blob on its way, `HEX@MARK`: it can be gone on with when its process is dead. */
const ARRIVING = /^([0-9a-f]{64}|[0-9a-f]{128})@(.+)$/;

/** Pruning keeps what was used in the last hour. */
const KEEP_USED_MS = 15 * 60 * 1000;

/** Makes the spools of this process differ in name. */
let spools = 0;

/** The directories of a cache in which a user has to write. They may be absent. */
export function cacheDirectories(root: string): string[] {
  const inBlobs = ["sha256", "sha512"].map((algorithm) => path.join(root, "blobs", algorithm));
  return [path.join(root, INGEST), path.join(root, "blobs"), ...inBlobs];
}

export class BlobCache implements BlobStore, IngestCache {
  readonly root: string;
  #sharing: Sharing | undefined;
  /** What this process saw of other processes' leases. */
  readonly #leases: SilenceWatch;
  /** Verified blobs that may not be put where they belong: another user owns what lies there. */
  readonly #unpublished = new Map<Digest, AtomicFile>();
  /** What ends the marking of blobs that came in a stream. */
  readonly #spooled: (() => void)[] = [];
  /** Damaged blobs that this user may not remove. */
  readonly #damaged = new Set<Digest>();
  /** A cache in which this user may read, but not write. */
  readonly #behind: BlobCache | undefined;

  /** What `behind` has is found too; nothing is put there. */
  constructor(root: string, leases = new SilenceWatch(), behind?: BlobCache) {
    this.root = root;
    this.#leases = leases;
    this.#behind = behind;
  }

  /** Makes the directories and removes what killed runs left. Throws code `file`. */
  open(): void {
    try {
      fs.mkdirSync(this.root, { recursive: true, mode: 0o700 });
      makeSharedDirectory(path.join(this.root, INGEST), this.sharing);
      this.#requireDirectories();
      this.#writeOnce("oci-layout", '{"imageLayoutVersion":"1.0.0"}');
      this.#writeOnce("index.json", '{"schemaVersion":2,"manifests":[]}');
      this.#removeLeftovers();
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  /** Removes what only this process has use for. */
  close(): void {
    for (const file of this.#unpublished.values()) file.close();
    this.#unpublished.clear();
    for (const letAge of this.#spooled) letAge();
    this.#spooled.length = 0;
  }

  /** Throws the system's errors when the cache's directory is not there. */
  get sharing(): Sharing {
    return this.#sharing ??= sharingOf(this.root);
  }

  get fileMode(): number {
    return this.sharing.fileMode;
  }

  /** Whether a blob in the cache may change between two readings of it. */
  get othersMayWrite(): boolean {
    return this.#behind !== undefined || this.sharing.othersMayWrite;
  }

  /**
   * The blob's file, when this user can read it and it has its full size; with any, when that is not
   * known. Its bytes are not verified: their reader does that.
   */
  find(blob: { readonly digest: Digest; readonly size?: number }): string | undefined {
    return this.#find(blob) ?? this.#behind?.find(blob);
  }

  #find({ digest, size }: { readonly digest: Digest; readonly size?: number }): string | undefined {
    const own = this.#unpublished.get(digest);
    if (own === undefined && this.#damaged.has(digest)) return undefined;
    const file = own?.temporary ?? this.#blobPath(digest);
    try {
      const status = fs.statSync(file);
      fs.accessSync(file, fs.constants.R_OK);
      return status.isFile() && (size ?? status.size) === status.size ? file : undefined;
    } catch {
      return undefined;
    }
  }

  /** As {@link find}, for a blob that another host may have put there a moment ago. */
  findNew(descriptor: Descriptor): string | undefined {
    try {
      // NFS may keep a name absent for a minute after a look, but not after its directory is opened.
      fs.closeSync(fs.openSync(path.dirname(this.#blobPath(descriptor.digest)), "r"));
    } catch {
      // The directory comes with its first blob.
    }
    return this.find(descriptor);
  }

  /** Removes a blob that turned out to be damaged. Where another user forbids it, it is ignored. */
  remove(digest: Digest): void {
    this.#behind?.remove(digest);
    try {
      fs.rmSync(this.#blobPath(digest), { force: true });
    } catch {
      this.#damaged.add(digest);
    }
  }

  /**
   * Marks those of the blobs that are here as used, now and again and again, so that pruning keeps
   * them. Other users' blobs cannot be marked. Returns the function that ends this.
   */
  keepUsed(digests: readonly Digest[], everyMs = KEEP_USED_MS): () => void {
    const files = digests.map((digest) => this.#blobPath(digest));
    const mark = () => refreshAll(files, path.join(this.root, INGEST));
    mark();
    const timer = setInterval(mark, everyMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  /** A place for a blob that is to come. */
  ingest(descriptor: Descriptor): Ingest {
    const hex = hexOf(descriptor.digest);
    return new Ingest(this, descriptor, {
      temporary: this.#ingestPath(`${hex}@${processMark()}`),
      final: this.#blobPath(descriptor.digest),
      partial: this.#ingestPath(`${hex}${PARTIAL}`),
    });
  }

  /** What dead processes left of these blobs; the files may go away at any time. */
  partials(descriptors: readonly Descriptor[]): Map<Digest, string> {
    const digests = new Map(descriptors.map(({ digest }) => [hexOf(digest), digest]));
    const found = new Map<Digest, string>();
    for (const name of this.#ingestNames()) {
      const digest = digests.get(name.split(/[@.]/)[0]!);
      if (digest !== undefined && lifeOfPartial(name) === "dead") {
        found.set(digest, this.#ingestPath(name));
      }
    }
    return found;
  }

  /** A place for a blob whose digest is known only at its end. */
  spool(): BlobWriter {
    this.open();
    const file = this.#ingestPath(`spool${spools++}@${processMark()}`);
    return new Spool(this, file, (digest) => {
      // The rest of an archive may take hours, and only then does a fetcher keep its blobs.
      this.#spooled.push(this.keepUsed([digest]));
      return this.#blobPath(digest);
    });
  }

  makeDirectoryOf(file: string): void {
    const directory = path.dirname(file);
    makeSharedDirectory(path.dirname(directory), this.sharing);
    makeSharedDirectory(directory, this.sharing);
  }

  keepUnpublished(digest: Digest, file: AtomicFile): void {
    this.#unpublished.get(digest)?.close();
    this.#unpublished.set(digest, file);
  }

  /**
   * Says that this process fetches the blob, or which other process does. The result is right
   * without it: it only saves doing the same work twice. Throws code `space` or `file`.
   */
  lease(digest: Digest): Lease | Holder {
    try {
      return takeLease(this.#leasePath(digest), this.#leases);
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  /** The process that fetches the blob, if one does. Throws code `file`. */
  holder(digest: Digest): Holder | undefined {
    try {
      return leaseHolder(this.#leasePath(digest), this.#leases);
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  #blobPath(digest: Digest): string {
    return path.join(this.root, blobPath(digest));
  }

  #leasePath(digest: Digest): string {
    return this.#ingestPath(`${hexOf(digest)}${LEASE}`);
  }

  #ingestPath(name: string): string {
    return path.join(this.root, INGEST, name);
  }

  #ingestNames(): string[] {
    try {
      return fs.readdirSync(path.join(this.root, INGEST));
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  /** A cache that one user can write to may have directories that only another one can. */
  #requireDirectories(): void {
    const { R_OK, W_OK, X_OK } = fs.constants;
    for (const directory of cacheDirectories(this.root).filter((path) => fs.existsSync(path))) {
      makeSharedDirectory(directory, this.sharing);
      fs.accessSync(directory, R_OK | W_OK | X_OK);
    }
  }

  #writeOnce(name: string, text: string): void {
    const file = path.join(this.root, name);
    if (fs.existsSync(file)) return;
    try {
      fs.writeFileSync(file, text, { mode: this.fileMode, flag: "wx" });
      fs.chmodSync(file, this.fileMode);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }

  #removeLeftovers(): void {
    const directory = path.join(this.root, INGEST);
    removeStale(directory, (name) => {
      if (name.endsWith(LEASE)) return leaseMark(path.join(directory, name));
      return ARRIVING.test(name) ? undefined : name.split("@")[1];
    });
    removeOld(directory, (name) => name.endsWith(LEASE) || lifeOfPartial(name) !== "alive");
  }
}

/** What is known of the process that works on an unfinished blob; `alive` for other names. */
function lifeOfPartial(name: string): Life {
  const mark = ARRIVING.exec(name)?.[2];
  if (mark !== undefined) return lifeOf(mark);
  return name.endsWith(PARTIAL) ? "dead" : "alive";
}

function hexOf(digest: Digest): string {
  return parseDigest(digest).hex;
}

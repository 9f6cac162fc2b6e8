/**
 * Blobs as the registry stores them, in an OCI image layout that many processes share: a blob is
 * there whole and verified, or not at all.
 */

import fs from "node:fs";
import path from "node:path";
import { blobPath, parseDigest } from "../oci/digest.ts";
import {
  type Holder,
  type Lease,
  leaseHolder,
  removeStaleLease,
  takeLease,
} from "../system/files/lease.ts";
import { processMark, removeStale } from "../system/files/process_mark.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { BlobStore, BlobWriter } from "../types/source.ts";
import { cacheError } from "./cache_error.ts";
import { Ingest, Spool } from "./ingest.ts";

/** Where unfinished blobs and leases are, beside `blobs/`. */
const INGEST = "ingest";
const LEASE = ".lock";

/** Makes the spools of this process differ in name. */
let spools = 0;

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

  /** Removes a blob that turned out to be damaged. */
  remove(digest: Digest): void {
    fs.rmSync(this.#blobPath(digest), { force: true });
  }

  /** A place for a blob that is to come. */
  ingest(descriptor: Descriptor): Ingest {
    const file = path.join(this.root, INGEST, `${hexOf(descriptor.digest)}@${processMark()}`);
    return new Ingest(this.root, file, this.#blobPath(descriptor.digest));
  }

  /** A place for a blob whose digest is known only at its end. */
  spool(): BlobWriter {
    this.open();
    const file = path.join(this.root, INGEST, `spool${spools++}@${processMark()}`);
    return new Spool(this.root, file, (digest) => this.#blobPath(digest));
  }

  /**
   * Says that this process fetches the blob, or which other process does. The result is right
   * without it: it only saves doing the same work twice. Throws code `space` or `file`.
   */
  lease(digest: Digest): Lease | Holder {
    try {
      return takeLease(this.#leasePath(digest));
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  /** The process that fetches the blob, if one does. Throws code `file`. */
  holder(digest: Digest): Holder | undefined {
    try {
      return leaseHolder(this.#leasePath(digest));
    } catch (cause) {
      throw cacheError(this.root, cause);
    }
  }

  #blobPath(digest: Digest): string {
    return path.join(this.root, blobPath(digest));
  }

  #leasePath(digest: Digest): string {
    return path.join(this.root, INGEST, `${hexOf(digest)}${LEASE}`);
  }

  #writeOnce(name: string, text: string): void {
    const file = path.join(this.root, name);
    if (!fs.existsSync(file)) fs.writeFileSync(file, text, { mode: 0o600 });
  }

  #removeStale(): void {
    const directory = path.join(this.root, INGEST);
    removeStale(directory, (name) => name.split("@")[1]);
    for (const name of fs.readdirSync(directory)) {
      if (name.endsWith(LEASE)) removeStaleLease(path.join(directory, name));
    }
  }
}

function hexOf(digest: Digest): string {
  return parseDigest(digest).hex;
}

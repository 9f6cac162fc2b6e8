/** One blob on its way from a source into the cache: written in any order, digested in order. */

import type { Hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { DenrootError } from "../errors.ts";
import { createDigestHash, digestOfHash } from "../oci/digest.ts";
import type { ByteRange, Descriptor, Digest } from "../types/image.ts";
import type { Ingest } from "./ingest.ts";
import { bytesFrom } from "./partial_record.ts";

/** A stretch of the blob that one request asks for. */
export interface Segment extends ByteRange {
  /** How many of its bytes are here. */
  received: number;
}

const READ_BACK = 1024 * 1024;
/** What is digested at a stretch, so that transfers go on meanwhile. */
const DIGEST_STEP = 16 * READ_BACK;
/** How much a process that is killed may lose. */
const RECORD_MS = 500;
/** A smaller part of a blob is not worth a request of its own. */
const MIN_KEPT = 16 * 1024;

/** One serves for all blobs, since nothing comes between reading and digesting. */
let readBackBuffer: Uint8Array | undefined;

export class ArrivingBlob {
  readonly descriptor: Descriptor;
  /** Segments that nobody has requested yet, in order. */
  pending: Segment[] = [];
  #segments: Segment[] = [];
  #ingest: Ingest;
  #hash: Hash;
  /** How many bytes from the start are here, and digested. */
  #digested = 0;
  #received = 0;
  #frontier = 0;
  #recording: ReturnType<typeof setTimeout> | undefined;
  /** Not after a commit, whether the bytes were right or wrong. */
  #isResumable = true;
  #listeners = new Set<() => void>();

  constructor(descriptor: Descriptor, ingest: Ingest, segmentSize: number) {
    this.descriptor = descriptor;
    this.#ingest = ingest;
    this.#hash = createDigestHash(descriptor.digest);
    this.split(segmentSize);
  }

  /** Where the blob is now, and where it will be: a reader tries both in turn. */
  get paths(): readonly [temporary: string, final: string] {
    return this.#ingest.paths;
  }

  /** How many bytes from the start can be read. */
  get available(): number {
    return this.#digested;
  }

  /** How many bytes are here, in any order. */
  get received(): number {
    return this.#received;
  }

  get complete(): boolean {
    return this.#digested === this.descriptor.size;
  }

  /** Calls `listener` whenever more can be read. Returns the function that ends this. */
  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets all bytes that arrived, and divides the blob anew. */
  split(segmentSize: number): void {
    const { size } = this.descriptor;
    this.#segments = [];
    for (let start = 0; start < size; start += segmentSize) {
      this.#segments.push({ start, end: Math.min(start + segmentSize, size), received: 0 });
    }
    this.pending = [...this.#segments];
    this.#hash = createDigestHash(this.descriptor.digest);
    this.#digested = 0;
    this.#received = 0;
    this.#frontier = 0;
  }

  /**
   * Goes on with what another process left in `file`. Gives how many bytes that are; {@link catchUp}
   * digests them.
   */
  takeOver(file: string): number {
    const stretches = this.#ingest.takeOver(file);
    for (const segment of this.#segments) {
      const { start, end } = segment;
      segment.received = Math.min(bytesFrom(start, stretches), end - start);
      this.#received += segment.received;
    }
    this.pending = this.#segments.filter(({ start, end, received }) => start + received < end);
    return this.#received;
  }

  /** Digests what is here from the start on. Throws code `file`, and `aborted` when it was closed. */
  async catchUp(): Promise<void> {
    while (this.#digested < this.#contiguous()) {
      this.#digestUpTo(Math.min(this.#contiguous(), this.#digested + DIGEST_STEP));
      for (const listener of this.#listeners) listener();
      await setImmediate();
    }
  }

  /** Takes the next bytes of a segment. */
  write(segment: Segment, bytes: Uint8Array): void {
    const position = segment.start + segment.received;
    this.#ingest.write(bytes, position);
    segment.received += bytes.length;
    this.#received += bytes.length;
    if (position === this.#digested) {
      this.#hash.update(bytes);
      this.#digested += bytes.length;
      this.#digestUpTo(this.#contiguous());
      for (const listener of this.#listeners) listener();
    }
    this.#recording ??= setTimeout(() => this.#record(), RECORD_MS);
  }

  /**
   * Throws code `digest` when the bytes are not what the descriptor names, and `manifest` when none can
   * be.
   */
  async commit(): Promise<void> {
    this.#isResumable = false;
    clearTimeout(this.#recording);
    const { digest, size } = this.descriptor;
    const actual = digestOfHash(this.#hash, digest);
    if (actual !== digest) {
      if (size === 0) throw contradiction(digest);
      throw new DenrootError("digest", `Its bytes have the digest ${actual}`);
    }
    await this.#ingest.commit();
  }

  /** Ends a blob that was not committed. What is here stays for a later process. */
  close(): void {
    clearTimeout(this.#recording);
    if (this.#isResumable && this.#received >= MIN_KEPT) this.#ingest.leave(this.#segments);
    else this.#ingest.close();
  }

  /** How many bytes from the start are here, digested or not. */
  #contiguous(): number {
    const segments = this.#segments;
    const isWhole = ({ start, end, received }: Segment) => start + received === end;
    while (this.#frontier < segments.length - 1 && isWhole(segments[this.#frontier]!)) {
      this.#frontier++;
    }
    const last = segments[this.#frontier];
    return last === undefined ? 0 : last.start + last.received;
  }

  #record(): void {
    this.#recording = undefined;
    try {
      this.#ingest.record(this.#segments);
    } catch {
      // A later run then asks for more. What is wrong with the file shows at the next write.
    }
  }

  #digestUpTo(end: number): void {
    if (this.#digested >= end) return;
    const buffer = readBackBuffer ??= new Uint8Array(READ_BACK);
    while (this.#digested < end) {
      const wanted = Math.min(READ_BACK, end - this.#digested);
      const count = this.#ingest.read(buffer.subarray(0, wanted), this.#digested);
      if (count === 0) throw new Error("The file in the cache became shorter while it was written");
      this.#hash.update(buffer.subarray(0, count));
      this.#digested += count;
    }
  }
}

/** No byte was asked for, so asking again cannot help. */
function contradiction(digest: Digest): DenrootError {
  return new DenrootError(
    "manifest",
    `The manifest says that it has 0 bytes, and ${digest} is not the digest of 0 bytes`,
  );
}

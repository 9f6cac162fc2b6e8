/** One blob on its way from a source into the cache: written in any order, digested in order. */

import type { Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import type { ByteRange, Descriptor } from "../types/image.ts";
import type { Ingest } from "./ingest.ts";

/** A stretch of the blob that one request asks for. */
export interface Segment extends ByteRange {
  /** How many of its bytes are here. */
  received: number;
}

const READ_BACK = 1024 * 1024;

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

  /** Takes the next bytes of a segment. */
  write(segment: Segment, bytes: Uint8Array): void {
    const position = segment.start + segment.received;
    this.#ingest.write(bytes, position);
    segment.received += bytes.length;
    this.#received += bytes.length;
    if (position === this.#digested) {
      this.#hash.update(bytes);
      this.#digested += bytes.length;
      this.#catchUp();
      for (const listener of this.#listeners) listener();
    }
  }

  /** Throws code `digest` when the bytes are not what the descriptor names. */
  async commit(): Promise<void> {
    const { digest } = this.descriptor;
    const actual = `${parseDigest(digest).algorithm}:${this.#hash.digest("hex")}`;
    if (actual !== digest) {
      throw new DenrootError("digest", `Its bytes have the digest ${actual}`);
    }
    await this.#ingest.commit();
  }

  close(): void {
    this.#ingest.close();
  }

  /** Digests what later segments brought while bytes before them were missing. */
  #catchUp(): void {
    for (; this.#frontier < this.#segments.length; this.#frontier++) {
      const segment = this.#segments[this.#frontier]!;
      this.#digestUpTo(segment.start + segment.received);
      if (segment.start + segment.received < segment.end) return;
    }
  }

  #digestUpTo(end: number): void {
    if (this.#digested >= end) return;
    const buffer = new Uint8Array(Math.min(READ_BACK, end - this.#digested));
    while (this.#digested < end) {
      const wanted = Math.min(buffer.length, end - this.#digested);
      const count = this.#ingest.read(buffer.subarray(0, wanted), this.#digested);
      if (count === 0) throw new Error("The file in the cache became shorter while it was written");
      this.#hash.update(buffer.subarray(0, count));
      this.#digested += count;
    }
  }
}

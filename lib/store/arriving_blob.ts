/** One blob on its way from a source into the cache: written in any order, digested in order. */

import type { Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import type { ByteRange, Descriptor } from "../types/image.ts";
import type { Ingest } from "./ingest.ts";

/** A stretch of the blob that one request asks for. */
export interface Segment extends ByteRange {
  /** Bytes of it that are here. */
  received: number;
}

const READ_BACK = 1024 * 1024;

export class ArrivingBlob {
  readonly descriptor: Descriptor;
  /** Segments that no request has been made for yet, in order. */
  pending: Segment[] = [];
  #segments: Segment[] = [];
  #ingest: Ingest;
  #hash: Hash;
  /** Bytes from the start that are here, and digested. */
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

  /** Where it is now, and where it will be: a reader tries both in turn. */
  get paths(): readonly [temporary: string, final: string] {
    return this.#ingest.paths;
  }

  /** How many bytes from the start can be read. */
  get available(): number {
    return this.#digested;
  }

  /** How many bytes are here, in whatever order. */
  get received(): number {
    return this.#received;
  }

  get complete(): boolean {
    return this.#digested === this.descriptor.size;
  }

  /** Calls back whenever more can be read. Gives the function that stops it. */
  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Divides what is still to come anew, from the start of what is not digested yet. */
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
      throw new DenrootError("digest", `It arrived as ${actual}`);
    }
    await this.#ingest.commit();
  }

  close(): void {
    this.#ingest.close();
  }

  /** Digests what later segments brought while this place was still missing. */
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
      if (count === 0) throw new Error("The cache's file became shorter while it was written");
      this.#hash.update(buffer.subarray(0, count));
      this.#digested += count;
    }
  }
}

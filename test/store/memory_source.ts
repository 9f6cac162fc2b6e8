/** A source whose blobs lie in memory, and that makes the faults that a test asks for. */

import { Buffer } from "node:buffer";
import { DenrootError } from "../../lib/errors.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import type { ByteRange, Descriptor } from "../../lib/types/image.ts";
import type { ImageSource } from "../../lib/types/source.ts";

interface Faults {
  /** Ranges that do not begin at 0 are refused. */
  readonly ignoresRanges?: boolean;
  /** Every request ends with this error after this many bytes. */
  readonly failsAfter?: { readonly bytes: number; readonly error: Error };
  /** The last byte of each chunk is changed. */
  readonly spoils?: boolean;
  /** Fewer bytes than were asked for arrive. */
  readonly stopsAfter?: number;
  /** Goes on to yield after an abort. */
  readonly deaf?: boolean;
  /** Waited for before each chunk. */
  readonly pace?: (descriptor: Descriptor, position: number) => Promise<void>;
}

export class MemorySource implements ImageSource {
  readonly reference = { scheme: "path", path: "memory" } as const;
  readonly uri = "memory";
  readonly requests: { readonly digest: string; readonly range: ByteRange | undefined }[] = [];
  /** How many requests are under way, and the most that were so at one time. */
  open = 0;
  mostOpen = 0;
  readonly #blobs = new Map<string, Buffer>();
  readonly #faults: Faults;
  readonly #chunkSize: number;

  constructor(faults: Faults = {}, chunkSize = 1024 * 1024) {
    this.#faults = faults;
    this.#chunkSize = chunkSize;
  }

  add(content: Uint8Array | string): Descriptor {
    const bytes = Buffer.from(content as string);
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: bytes.length };
  }

  bytesOf({ digest }: Pick<Descriptor, "digest">): Uint8Array {
    return this.#blobs.get(digest)!;
  }

  root(): never {
    throw new Error("There are no images here");
  }

  document(): never {
    throw new Error("There are no documents here");
  }

  async *blob(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    this.requests.push({ digest: descriptor.digest, range });
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    try {
      yield* this.#chunks(descriptor, range, signal);
    } finally {
      this.open--;
    }
  }

  async *#chunks(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const { ignoresRanges, failsAfter, spoils, stopsAfter, deaf, pace } = this.#faults;
    if (ignoresRanges && range !== undefined && range.start > 0) {
      throw new DenrootError("range_unsupported", "The server ignores ranges");
    }
    const whole = this.#blobs.get(descriptor.digest)!;
    const { start, end } = range ?? { start: 0, end: whole.length };
    const last = Math.min(end, start + (stopsAfter ?? Infinity));
    for (let at = start; at < last; at += this.#chunkSize) {
      await (pace?.(descriptor, at) ?? new Promise((resolve) => setImmediate(resolve)));
      if (!deaf) signal.throwIfAborted();
      if (failsAfter !== undefined && at - start >= failsAfter.bytes) throw failsAfter.error;
      const chunk = Buffer.from(whole.subarray(at, Math.min(at + this.#chunkSize, last)));
      if (spoils) chunk[chunk.length - 1]! ^= 1;
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

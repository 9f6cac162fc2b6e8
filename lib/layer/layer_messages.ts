/** What passes between the main thread, the layer workers, and whoever takes the tar streams. */

import type { PlainError } from "../errors.ts";
import type { MessagePort } from "../system/worker.ts";
import type { Digest } from "../types/image.ts";
import type { BlobPlace } from "../types/source.ts";

/** One layer to be read, from the main thread. */
export interface LayerJob {
  readonly type: "read";
  readonly id: number;
  readonly place: BlobPlace;
  /** Stored bytes. */
  readonly size: number;
  /** How many of them can be read now; {@link Available} tells of more. */
  readonly available: number;
  /** What the stored bytes must digest to; undefined when that was checked before. */
  readonly digest: Digest | undefined;
  /** What the tar stream must digest to; undefined when that was checked before. */
  readonly diffId: Digest | undefined;
  /** Takes {@link LayerChunk}s, and gives the buffers back. */
  readonly output: MessagePort;
}

export interface Available {
  readonly type: "available";
  readonly id: number;
  readonly bytes: number;
}

/** A layer worker's answer. */
export interface LayerAnswer {
  readonly id: number;
  readonly error?: PlainError;
}

/** A stretch of the tar stream in a buffer of its own, or its verified end. */
export type LayerChunk = { readonly buffer: ArrayBuffer; readonly length: number } | "end";

/** Buffers that travel between a layer worker and the taker: what is read ahead of need. */
export const CHUNK_SIZE = 1024 * 1024;
export const CHUNKS_AHEAD = 8;

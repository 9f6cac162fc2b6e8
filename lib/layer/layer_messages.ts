/**
 * The messages between the main thread and a layer worker, and what passes through the port that
 * takes a tar stream. A worker reads one layer at a time, so no message has to say which.
 */

import type { PlainError } from "../errors.ts";
import type { MessagePort } from "../system/worker.ts";
import type { Digest } from "../types/image.ts";
import type { BlobPlace } from "../types/source.ts";

/** One layer that a layer worker is to read. */
export interface LayerJob {
  readonly type: "read";
  /** Where the stored bytes are. */
  readonly place: BlobPlace;
  /** Count of the stored bytes. */
  readonly size: number;
  /** How many of them can be read now; {@link Available} tells of more. */
  readonly available: number;
  /** The digest that the stored bytes must have; undefined when it needs no check. */
  readonly digest: Digest | undefined;
  /** The digest that the tar stream must have; undefined when it needs no check. */
  readonly diffId: Digest | undefined;
  /** Takes {@link LayerChunk}s, and confirms them. */
  readonly output: MessagePort;
}

/** The main thread tells how many stored bytes of the layer can be read by now. */
export interface Available {
  readonly type: "available";
  readonly bytes: number;
}

/** The layer worker's answer: the taker has the whole layer, or it cannot be read. */
export interface LayerAnswer {
  readonly error?: PlainError;
}

/**
 * First the memory that both threads share; then the next bytes of the tar stream in it, which the
 * taker confirms with `at` when they are used up; at last the stream's verified end. Buffers that
 * are sent from thread to thread would have a garbage collection follow every few of them.
 */
export type LayerChunk =
  | { readonly memory: SharedArrayBuffer }
  | { readonly at: number; readonly length: number }
  | "end";

/** The size of the parts of the shared memory. */
export const CHUNK_SIZE = 1024 * 1024;
/** The count of these parts: it bounds how much is read ahead. */
export const CHUNKS_AHEAD = 8;

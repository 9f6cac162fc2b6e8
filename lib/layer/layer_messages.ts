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
  /** Takes {@link LayerChunk}s, and confirms them as {@link PartOfSlab}s. */
  readonly output: MessagePort;
  /** The memory to begin with. */
  readonly slab: Slab;
}

/** Memory of {@link SLAB_SIZE} bytes that a layer worker fills. */
export interface Slab {
  readonly id: number;
  readonly memory: SharedArrayBuffer;
}

/** The main thread tells how many stored bytes of the layer can be read by now. */
export interface Available {
  readonly type: "available";
  readonly bytes: number;
}

/** The main thread grants one more slab. */
export interface Grant {
  readonly type: "slab";
  readonly slab: Slab;
}

/** From a layer worker to the main thread. */
export type LayerAnswer =
  /** The worker waits, and could go on with one more slab. */
  | { readonly type: "want" }
  /** It does not need the slab with this number any more. */
  | { readonly type: "spare"; readonly slab: number }
  /** The taker has the whole layer, or the layer cannot be read. */
  | { readonly type: "end"; readonly error?: PlainError };

/** Which part of the shared memory. */
export interface PartOfSlab {
  /** The slab's number. */
  readonly slab: number;
  /** Where the part begins. */
  readonly at: number;
}

/**
 * A slab, before its first use; then the next bytes of the tar stream in it, which the taker confirms
 * when they are used up; at last the stream's verified end. Buffers that are sent from thread to
 * thread would have a garbage collection follow every few of them.
 */
export type LayerChunk =
  | { readonly slab: number; readonly memory: SharedArrayBuffer }
  | PartOfSlab & { readonly length: number }
  | "end";

/** The size of the parts of a slab. */
export const CHUNK_SIZE = 1024 * 1024;
export const CHUNKS_IN_SLAB = 8;
export const SLAB_SIZE = CHUNK_SIZE * CHUNKS_IN_SLAB;

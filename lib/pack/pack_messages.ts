/** The messages between the main thread and the pack worker. */

import type { PlainError } from "../errors.ts";
import type { OwnFile } from "../enroot/own_files.ts";
import type { MessagePort } from "../system/worker.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";

export type PackMode =
  /** Layers stream by once, the topmost first. */
  | "stream"
  /** The headers of all layers are read first. */
  | "plan";

/**
 * A layer may be read twice. The first pass checks its digests and counts its bytes; both are known
 * when it is read again.
 */
export type Pass = "first" | "again";

/** What the pack worker writes to. */
export type EntryOutput =
  /** The socket to a mksquashfs that was started with these permissions of the root directory. */
  | { readonly type: "tar"; readonly descriptor: number; readonly rootMode: number }
  /** A directory that is made here; the time of its root in seconds since 1970. */
  | { readonly type: "tree"; readonly path: string; readonly time: number };

/** What the pack worker is started with. */
export interface PackInput {
  readonly mode: PackMode;
  readonly output: EntryOutput;
  /** What messages call each layer, base first. */
  readonly layerNames: readonly string[];
  readonly ownFiles: readonly OwnFile[];
  /** This directory is made when no layer has it. */
  readonly workingDir: string;
  /** The time of all entries: seconds since 1970. Undefined leaves them their own. */
  readonly allTime: number | undefined;
  /** The time of entries that no layer has: seconds since 1970. */
  readonly defaultTime: number;
  /** How many bytes all layers together may unpack to. */
  readonly maxBytes: number;
  /** Whether to remember what was packed, for a later `verify` request. */
  readonly keepLedger: boolean;
  /** Whether to tell of a wide directory. */
  readonly watchWidths: boolean;
}

/** From the main thread to the pack worker. */
export type PackRequest =
  /** The answer to `open`: the layer's tar stream, as `LayerChunk`s. */
  | { readonly type: "layer"; readonly chunks: MessagePort }
  /** Asks, after `end`, whether the finished image holds what was packed. */
  | { readonly type: "verify"; readonly image: string; readonly unsquashfs: string };

/** The end of a piece of the pack worker's work. */
export type PackResult =
  /** The stream is complete; the latest time in it, in seconds since 1970. */
  | { readonly type: "end"; readonly latestTime: number }
  /** The finished image holds what was packed. */
  | { readonly type: "verified" }
  /** The packing has to start again in this mode, with these permissions of the root, if any. */
  | {
    readonly type: "restart";
    readonly mode: PackMode;
    readonly rootMode: number | undefined;
    readonly reason: string;
  };

/** From the pack worker to the main thread. */
export type PackMessage =
  | PackResult
  /**
   * Asks for a layer's tar stream; one layer is asked for at a time. `next` are the layers that will
   * be asked for after it, for the same pass, in this order.
   */
  | {
    readonly type: "open";
    readonly layer: number;
    readonly pass: Pass;
    readonly next: readonly number[];
  }
  /** How many bytes of the stream are written so far. */
  | { readonly type: "packed"; readonly bytes: number }
  /** Something that people should know. */
  | { readonly type: "note"; readonly message: string }
  /** The directory, for people, has `WIDE_ENTRIES` so far. */
  | { readonly type: "wide"; readonly directory: string }
  /** `layer` is the one at fault, if one is. */
  | { readonly type: "failed"; readonly error: PlainError; readonly layer: number | undefined };

/**
 * Reads one layer, base = 0, into a visitor. The first pass fails at the end of a damaged layer. The
 * `next` layers of the same pass, in this order, are decompressed ahead.
 */
export type ReadLayer = (
  layer: number,
  visitor: TarVisitor,
  pass: Pass,
  next: readonly number[],
) => Promise<void>;

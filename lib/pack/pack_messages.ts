/** What passes between the main thread and the pack worker. */

import type { PlainError } from "../errors.ts";
import type { OwnFile } from "../enroot/own_files.ts";
import type { MessagePort } from "../system/worker.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";

export type PackMode =
  /** Layers stream by once, the topmost first. */
  | "stream"
  /** All layers' headers are read first. */
  | "plan";

export interface PackInput {
  readonly mode: PackMode;
  /** The socket to mksquashfs. */
  readonly descriptor: number;
  /** What messages call each layer, base first. */
  readonly layerNames: readonly string[];
  /** What mksquashfs was told of the root directory. */
  readonly rootMode: number;
  readonly ownFiles: readonly OwnFile[];
  /** Made when no layer has it. */
  readonly workingDir: string;
  readonly allTime: number | undefined;
  readonly defaultTime: number;
  /** Decompressed bytes of all layers together. */
  readonly maxBytes: number;
  /** Remember what was packed, for {@link VerifyRequest}. */
  readonly verify: boolean;
}

/** From the pack worker. */
export type PackMessage =
  /** Asks for a layer's tar stream; a `MessagePort` is the answer. */
  | { readonly type: "open"; readonly layer: number; readonly verify: boolean }
  | { readonly type: "packed"; readonly bytes: number }
  /** The stream is complete; the latest time in it. */
  | { readonly type: "end"; readonly latestTime: number }
  /** The finished image has what was packed. */
  | { readonly type: "verified" }
  /** To be started again with this mode, or this mode of the root. */
  | {
    readonly type: "restart";
    readonly mode: PackMode;
    readonly rootMode: number;
    readonly reason: string;
  }
  /** `layer` is the one at fault, if one is. */
  | { readonly type: "failed"; readonly error: PlainError; readonly layer: number | undefined };

/** Reads one layer, base = 0, into a visitor. `verify` withholds the end of a damaged one. */
export type ReadLayer = (layer: number, visitor: TarVisitor, verify: boolean) => Promise<void>;

/** The answer to `open`. */
export interface OpenedLayer {
  readonly port: MessagePort;
}

/** Sent behind `end`: to compare the finished image with what was packed. */
export interface VerifyRequest {
  readonly image: string;
  readonly unsquashfs: string;
}

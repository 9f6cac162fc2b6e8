/** What packing needs to know of an image. No code. */

import type { OwnFile } from "../enroot/own_files.ts";
import type { PackOptions } from "../squashfs/packer.ts";
import type { BlobFetcher } from "../store/blob_fetcher.ts";
import type { Descriptor, ReadPlan } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";

/** The part of a {@link BlobFetcher} that packing uses. */
type LayerSource = Pick<BlobFetcher, "readable" | "verified" | "finished" | "failure">;

export interface PackJob {
  readonly output: PackOutput;
  /** At least 1. */
  readonly processors: number;
  /** How much memory layers are decompressed ahead into. */
  readonly aheadBytes: number;
  readonly plan: ReadPlan;
  readonly ownFiles: readonly OwnFile[];
  /** What messages call a blob. */
  readonly nameOf: (descriptor: Descriptor) => string;
  readonly fetcher: LayerSource;
  /** The time of all entries: seconds since 1970. Undefined leaves them their own. */
  readonly allTime: number | undefined;
  /** The time of entries that no layer has: seconds since 1970. */
  readonly defaultTime: number;
  /** How many bytes all layers together may unpack to. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** What the merged entries become. */
export type PackOutput =
  /** An image file. */
  | {
    readonly type: "image";
    /** The image's path. */
    readonly target: string;
    readonly squash: Omit<PackOptions, "rootMode" | "processors">;
    /** Path of the unsquashfs that reads the finished image back; undefined to skip that check. */
    readonly verifyWith: string | undefined;
  }
  /** A directory that is made at this path, and left as it is when something fails. */
  | { readonly type: "tree"; readonly path: string };

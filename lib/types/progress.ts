/** What an operation tells while it works. No code. */

import type { Descriptor, Digest } from "./image.ts";

/** What an import tells while it works. */
export type ProgressEvent =
  | { readonly type: "log"; readonly level: "info" | "warn"; readonly message: string }
  | { readonly type: "resolved"; readonly digest: Digest; readonly layers: readonly Descriptor[] }
  /** `received` of `size` stored bytes of the layer are here; `cached` when none had to be sent. */
  | {
    readonly type: "layer";
    readonly index: number;
    readonly size: number;
    readonly received: number;
    readonly cached: boolean;
  }
  /** Uncompressed bytes handed to mksquashfs so far. */
  | { readonly type: "packed"; readonly bytes: number };

export type OnProgress = (event: ProgressEvent) => void;

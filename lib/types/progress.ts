/** The events that an operation reports while it works. No code. */

import type { Descriptor, Digest } from "./image.ts";

/**
 * One event of an operation. An import reports `packed` and a load `written`, and both the kinds before
 * them; other operations only log.
 */
export type ProgressEvent =
  | { readonly type: "log"; readonly level: "info" | "warn"; readonly message: string }
  | { readonly type: "resolved"; readonly digest: Digest; readonly layers: readonly Descriptor[] }
  /**
   * `received` of the layer's `size` stored bytes are on this machine. `cached` is true when none
   * had to be transferred. `index` counts from 0 at the base.
   */
  | {
    readonly type: "layer";
    readonly index: number;
    readonly size: number;
    readonly received: number;
    readonly cached: boolean;
  }
  /** `bytes` uncompressed bytes have been given to mksquashfs so far. */
  | { readonly type: "packed"; readonly bytes: number }
  /** `bytes` uncompressed bytes have been written to files of a directory so far. */
  | { readonly type: "written"; readonly bytes: number };

export type OnProgress = (event: ProgressEvent) => void;

/** The events that an operation reports while it works. No code. */

import type { Descriptor, Digest } from "./image.ts";

/**
 * One event of an operation. An import reports `packed` and a load `written`, and both the kinds before
 * them; a copy has kinds of its own. Other operations only log.
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
  /** These blobs are read; the events `blob` then tell of bytes that were read. */
  | { readonly type: "reading"; readonly blobs: readonly Descriptor[] }
  /**
   * A copy looks at these blobs, and sends those that the destination lacks. With `first` they are
   * those of a further image, and the first of them has this index.
   */
  | {
    readonly type: "copying";
    readonly blobs: readonly Descriptor[];
    readonly first?: number;
  }
  /**
   * `sent` of a blob's `size` bytes have been sent; it is complete when it has a `fate`. `index`
   * counts from 0, in the order of the event `copying`. After a failed attempt `sent` may become
   * smaller.
   */
  | {
    readonly type: "blob";
    readonly index: number;
    readonly size: number;
    readonly sent: number;
    readonly fate?: "present" | "mounted" | "sent" | "missing" | "mountable";
  }
  /** `bytes` uncompressed bytes have been given to mksquashfs so far. */
  | { readonly type: "packed"; readonly bytes: number }
  /** `bytes` uncompressed bytes have been written to files of a directory so far. */
  | { readonly type: "written"; readonly bytes: number };

export type OnProgress = (event: ProgressEvent) => void;

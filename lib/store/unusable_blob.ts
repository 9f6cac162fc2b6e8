/** The error for a blob that is here and cannot be used. */

import type { ReadableBlob } from "./blob_fetcher.ts";

/**
 * A blob's content is not what its digest says, or cannot be decompressed or read. A damaged copy
 * in the cache can be the reason, or the image itself: `readable.origin` tells them apart.
 */
export class UnusableBlob extends Error {
  override readonly name = "UnusableBlob";
  readonly readable: ReadableBlob;
  /** What is wrong, in words for users. */
  override readonly cause: Error;

  constructor(readable: ReadableBlob, cause: Error) {
    super(cause.message);
    this.readable = readable;
    this.cause = cause;
  }
}

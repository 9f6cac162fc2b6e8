/** What every transport is given. */

import type { Settings } from "../config/settings.ts";
import type { BlobStore, OnProgress } from "../types.ts";

export interface SourceContext {
  readonly settings: Settings;
  /** Where a transport that cannot be read at random puts what passes by. */
  readonly blobs: BlobStore;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}

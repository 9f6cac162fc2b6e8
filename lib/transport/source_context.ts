/** What every transport is given. */

import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types/progress.ts";
import type { BlobStore } from "../types/source.ts";

export interface SourceContext {
  readonly settings: Settings;
  /** Where a transport that cannot be read at random puts what passes by. */
  readonly blobs: BlobStore;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}

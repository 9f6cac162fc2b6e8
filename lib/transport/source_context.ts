/** What every transport is given. */

import type { Settings } from "../config/settings.ts";
import type { Platform } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { BlobStore } from "../types/source.ts";

export interface SourceContext {
  readonly settings: Settings;
  /** Where a transport that cannot be read at random puts what passes by. */
  readonly blobs: BlobStore;
  /** What an engine is asked for, where it hands out one platform's image of several. */
  readonly platform: Platform;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}

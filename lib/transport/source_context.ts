/** What every transport gets from its caller. */

import type { Settings } from "../config/settings.ts";
import type { Platform } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { BlobStore } from "../types/source.ts";

export interface SourceContext {
  readonly settings: Settings;
  /** Takes the blobs from a transport that can only be read as one stream. */
  readonly blobs: BlobStore;
  /** The platform that an engine is asked for, when it has an image for several. */
  readonly platform: Platform;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}

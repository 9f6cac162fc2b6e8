/** What every transport is given. */

import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types.ts";

export interface SourceContext {
  readonly settings: Settings;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}

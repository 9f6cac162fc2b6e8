/** What every destination gets from its caller. */

import type { SourceContext } from "./source_context.ts";

export interface DestinationContext extends SourceContext {
  /** Whether a file that is written as one piece takes the place of one that is there. */
  readonly replace: boolean;
}

/** What a runtime changes at its start, and the program after it should find unchanged. */

import { inheritedDescriptors } from "../../system/linux/descriptors.ts";
import { type FileLimit, inheritedFileLimit } from "../../system/linux/execute.ts";
import { ignoredAtStart } from "../../system/process/signal_masks.ts";

/** What a process got from its parent, and a container gets again. */
export interface InheritedState {
  readonly fileLimit: FileLimit;
  /** The numbers of the signals that were ignored at the start. */
  readonly ignoredSignals: readonly number[];
  /** Open ones besides the standard ones. */
  readonly descriptors: readonly number[];
}

/** It has to be called before the process opens files of its own. */
export function inheritedState(): InheritedState {
  return {
    fileLimit: inheritedFileLimit(),
    ignoredSignals: [...ignoredAtStart],
    descriptors: inheritedDescriptors(),
  };
}

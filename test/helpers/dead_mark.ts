/** The mark of a process that this one can prove to be dead. */

import { processMark } from "../../lib/system/files/process_mark.ts";

/** Linux gives no process an id that high. */
export function deadMark(): string {
  return processMark().replace(/\.\d+\.\d+\./, ".4194304.1.");
}

/** Lists a directory that need not be there. */

import fs from "node:fs";
import { systemCode } from "../../errors.ts";

/**
 * The names in a directory, in no order; none where the system answers with one of the codes `absent`.
 * Throws the system's other errors. Opening a directory asks the server of a network file system, which
 * a look at a single name may not do for a minute.
 */
export function namesIn(directory: string, absent: readonly string[] = ["ENOENT"]): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if (absent.includes(systemCode(error))) return [];
    throw error;
  }
}

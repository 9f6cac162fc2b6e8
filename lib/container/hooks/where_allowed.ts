/** Changes that a container can do without. */

import { DenrootError, systemCode } from "../../errors.ts";

const FORBIDDEN: readonly string[] = ["EACCES", "EPERM", "EROFS"];

/**
 * Makes a change, and gives whether it was allowed: directories of a root that belongs to another
 * user cannot be changed.
 */
export function whereAllowed(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (error instanceof DenrootError && FORBIDDEN.includes(systemCode(error.cause))) return false;
    throw error;
  }
}

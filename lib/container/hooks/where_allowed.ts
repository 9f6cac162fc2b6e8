/** Changes that a container can do without. */

import { DenrootError } from "../../errors.ts";

const FORBIDDEN: readonly unknown[] = ["EACCES", "EPERM", "EROFS"];

/**
 * Makes a change, and gives whether it was allowed: directories of a root that belongs to another
 * user cannot be changed.
 */
export function whereAllowed(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    const code = error instanceof DenrootError && (error.cause as { code?: unknown } | null)?.code;
    if (FORBIDDEN.includes(code)) return false;
    throw error;
  }
}

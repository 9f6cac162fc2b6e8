/** What a failed system call means to a user of the cache. */

import { DenrootError, isDiskFull, messageOf, systemCode } from "../errors.ts";

/** Code `space` or `file`. An error of denroot's own stays as it is. */
export function cacheError(root: string, cause: unknown): DenrootError {
  if (cause instanceof DenrootError) return cause;
  if (isDiskFull(cause)) {
    return new DenrootError("space", `There is no room left in the cache ${root}`, {
      cause,
      hint: "Free some space there, or set ENROOT_CACHE_PATH to another directory",
    });
  }
  return new DenrootError("file", `The cache ${root} cannot be used: ${reasonOf(cause)}`, {
    cause,
    hint: "Set ENROOT_CACHE_PATH to a directory that can be written",
  });
}

/** Whether this user must not do it, or nobody may: another directory would help. */
export function isForbidden(cause: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(systemCode(cause));
}

/** Why a call failed, in words. Where something else has the directory's name, mkdir says EEXIST. */
export function reasonOf(cause: unknown): string {
  return systemCode(cause) === "EEXIST" ? "it is not a directory" : messageOf(cause);
}

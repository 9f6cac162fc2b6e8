/** How much a file system can still take. */

import { statfsSync } from "node:fs";

export interface FreeSpace {
  readonly bytes: number;
  /** How many more files it can hold; infinite where the file system does not count them. */
  readonly files: number;
}

/** What this user may still write below `path`. Throws as statfs(2) does. */
export function freeSpace(path: string): FreeSpace {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  return { bytes: bavail * bsize, files: files > 0 ? ffree : Infinity };
}

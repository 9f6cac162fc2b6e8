/** Says where a disk is full. */

import { statfsSync } from "node:fs";

/** With less, a hook cannot have written much. */
const LITTLE_BYTES = 64 * 1024;

/** A sentence about the first of `paths` whose disk is full; undefined where none is. */
export function fullDiskHint(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      const { bavail, bsize, files, ffree } = statfsSync(path);
      if (bavail * bsize < LITTLE_BYTES) return `Only ${bavail * bsize} bytes are free at ${path}`;
      if (files > 0 && ffree === 0) return `No more files can be made at ${path}`;
    } catch {
      // Another place may tell.
    }
  }
  return undefined;
}

/** Says where a disk is full. */

import { freeSpace } from "../../system/host/free_space.ts";

/** With less, a hook cannot have written much. */
const LITTLE_BYTES = 64 * 1024;

/** A sentence about the first of `paths` whose disk is full; undefined where none is. */
export function fullDiskHint(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      const { bytes, files } = freeSpace(path);
      if (bytes < LITTLE_BYTES) return `Only ${bytes} bytes are free at ${path}`;
      if (files === 0) return `No more files can be made at ${path}`;
    } catch {
      // Another place may tell.
    }
  }
  return undefined;
}

/** Small text files that describe a machine: those of /proc, /sys and /etc. */

import fs from "node:fs";

/** A parameter of what reads them, so that a test can show it another machine. */
export interface SystemFiles {
  /** The content without white space around it; undefined for a file that cannot be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
}

/** This machine's own files. */
export const systemFiles: SystemFiles = {
  read(path) {
    try {
      return fs.readFileSync(path, "utf8").trim();
    } catch {
      return undefined;
    }
  },
  exists: (path) => fs.existsSync(path),
};

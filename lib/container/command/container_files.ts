/** What the planning of a start asks of the container's files. */

import { statSync } from "node:fs";
import type { RootedFiles } from "../../types/container.ts";

/** Paths are absolute in the container; links are followed inside it. */
export interface ContainerFiles {
  /** A regular file's text; undefined where there is none. */
  text(path: string): string | undefined;
  exists(path: string): boolean;
  /** Whether somebody may execute it. */
  isExecutable(path: string): boolean;
}

const EXECUTABLE = 0o111;
/** Far more than any of these files has. */
const FILE_LIMIT_BYTES = 1 << 20;

export function containerFiles(root: RootedFiles): ContainerFiles {
  return {
    text: (path) => {
      const bytes = root.read(path, FILE_LIMIT_BYTES);
      return bytes && new TextDecoder().decode(bytes);
    },
    exists: (path) => {
      using held = root.hold(path);
      return held !== undefined;
    },
    isExecutable: (path) => {
      using held = root.hold(path);
      if (held === undefined || held.isDirectory) return false;
      // Deno's access(2) looks at the link itself, and so at the wrong permissions.
      return (statSync(held.path).mode & EXECUTABLE) !== 0;
    },
  };
}

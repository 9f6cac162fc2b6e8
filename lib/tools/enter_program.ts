/** The carried program that enters namespaces: `scripts/enter/enter.c`. */

import type { Buffer } from "node:buffer";
import os from "node:os";
import { DenrootError } from "../errors.ts";
import { carriedFile } from "../system/carried_file.ts";

/** Throws code `unsupported` for a build without it. */
export function enterProgram(): Buffer {
  const program = carriedFile(`build/enter/${os.arch()}/enter`);
  if (program !== undefined) return program;
  throw new DenrootError("unsupported", "This denroot lacks the program that enters namespaces", {
    hint: "Run scripts/build_enter, or take a released executable",
  });
}

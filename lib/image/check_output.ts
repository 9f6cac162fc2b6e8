/** Checks that an output can be written, before anything is fetched for it. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../errors.ts";
import { outputExists } from "../squashfs/packer.ts";

/**
 * Throws code `exists` when the output exists and may not be replaced; code `file` when its directory
 * does not exist or cannot be written. With `force`, an existing regular file may be replaced.
 */
export function checkOutput(output: string, force: boolean): void {
  checkFile(output, force);
  checkDirectory(path.dirname(output));
}

/** Only a regular file is ever replaced, never a device or a directory. */
function checkFile(output: string, force: boolean): void {
  const found = fs.statSync(output, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isFile()) {
    throw new DenrootError("exists", `The output ${output} exists and is not a regular file`, {
      hint: "Choose another path for the output",
    });
  }
  if (!force) throw outputExists(output);
}

/** mksquashfs would find the fault much later, and its message would say much less. */
function checkDirectory(directory: string): void {
  if (!fs.existsSync(directory)) {
    throw new DenrootError("file", `The directory ${directory} for the output does not exist`, {
      hint: "Create it, or choose another path for the output",
    });
  }
  try {
    fs.accessSync(directory, fs.constants.W_OK);
  } catch (cause) {
    const isReadOnly = (cause as NodeJS.ErrnoException).code === "EROFS";
    const why = isReadOnly ? "is on a read-only file system" : "is not writable for you";
    throw new DenrootError("file", `The directory ${directory} for the output ${why}`, {
      cause,
      hint: "Choose another path for the output",
    });
  }
}

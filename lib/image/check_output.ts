/** Whether an output can be written, before anything is fetched for it. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../errors.ts";
import { outputExists } from "../squashfs/packer.ts";

/** Throws code `exists`, or `file` when its directory is not there or cannot be written. */
export function checkOutput(output: string, force: boolean): void {
  checkFile(output, force);
  checkDirectory(path.dirname(output));
}

/** A device or a directory is never replaced. */
function checkFile(output: string, force: boolean): void {
  const found = fs.statSync(output, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isFile()) {
    throw new DenrootError("exists", `The output ${output} is there, and is no regular file`, {
      hint: "Name an output elsewhere",
    });
  }
  if (!force) throw outputExists(output);
}

/** mksquashfs would find it out much later, and say much less. */
function checkDirectory(directory: string): void {
  if (!fs.existsSync(directory)) {
    throw new DenrootError("file", `There is no directory ${directory} for the output`, {
      hint: "Make it, or name an output elsewhere",
    });
  }
  try {
    fs.accessSync(directory, fs.constants.W_OK);
  } catch (cause) {
    const isReadOnly = (cause as NodeJS.ErrnoException).code === "EROFS";
    const why = isReadOnly ? "is on a read-only file system" : "cannot be written by you";
    throw new DenrootError("file", `The directory ${directory} for the output ${why}`, {
      cause,
      hint: "Name an output elsewhere",
    });
  }
}

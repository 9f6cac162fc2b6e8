/** Checks that an output can be written, before anything is fetched for it. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { outputExists } from "../squashfs/packer.ts";

const ANOTHER_PATH = "Choose another path for the output";

/**
 * Throws code `exists` when the output exists and may not be replaced; code `file` when its directory
 * does not exist or cannot be written, or when no file can have this name. With `force`, an existing
 * regular file may be replaced.
 */
export function checkOutput(output: string, force: boolean): void {
  const directory = path.dirname(output);
  checkDirectory(directory);
  checkFile(output, force);
  checkWritable(directory);
}

function checkDirectory(directory: string): void {
  if (!fs.existsSync(directory)) {
    throw new DenrootError("file", `The directory ${directory} for the output does not exist`, {
      hint: "Create it, or choose another path for the output",
    });
  }
  if (!fs.statSync(directory).isDirectory()) {
    throw new DenrootError("file", `The output cannot be in ${directory}: that is no directory`, {
      hint: ANOTHER_PATH,
    });
  }
}

/** mksquashfs would find the fault much later, and its message would say much less. */
function checkWritable(directory: string): void {
  try {
    fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
  } catch (cause) {
    const isReadOnly = (cause as NodeJS.ErrnoException).code === "EROFS";
    const why = isReadOnly ? "is on a read-only file system" : "is not writable for you";
    throw new DenrootError("file", `The directory ${directory} for the output ${why}`, {
      cause,
      hint: ANOTHER_PATH,
    });
  }
}

/** Only a regular file is ever replaced, never a device or a directory. */
function checkFile(output: string, force: boolean): void {
  const found = statOf(output);
  if (found === undefined) return;
  if (!found.isFile()) {
    throw new DenrootError("exists", `The output ${output} exists and is not a regular file`, {
      hint: ANOTHER_PATH,
    });
  }
  if (!force) throw outputExists(output);
}

/** Gives undefined when the file does not exist. */
function statOf(output: string): fs.Stats | undefined {
  try {
    return fs.statSync(output, { throwIfNoEntry: false });
  } catch (cause) {
    throw new DenrootError(
      "file",
      `The output ${output} cannot be made: ${messageOf(cause)}`,
      {
        cause,
        hint: ANOTHER_PATH,
      },
    );
  }
}

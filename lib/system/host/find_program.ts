/** Where a program of the host is. */

import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";

/** Users' search paths often lack them. */
const ADMINISTRATORS = ["/usr/sbin", "/sbin"];

/** The path of the program `name`; undefined where the search path of `environment` has none. */
export function findProgram(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const directories = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(":");
  // An empty or relative entry would let the current directory name the program.
  return [...directories, ...ADMINISTRATORS].filter((directory) => path.isAbsolute(directory))
    .map((directory) => path.join(directory, name))
    .find(isProgram);
}

function isProgram(file: string): boolean {
  return isExecutable(file) && statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Whether this user may execute the file, or enter the directory. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The directory on which each container mounts a file system of its own, in memory. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Settings } from "../../config/settings.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { makePrivateDirectory } from "../../system/files/private_directory.ts";

/**
 * Makes ENROOT_RUNTIME_PATH and gives it. Where nobody has set it, another directory does as well:
 * the default lies below `/run`, in which users may make nothing, when there was no login, as under
 * a scheduler. Throws code `file`.
 */
export function runtimeDirectory(
  { runtimePath, tempPath, environment }: Pick<
    Settings,
    "runtimePath" | "tempPath" | "environment"
  >,
): string {
  try {
    mkdirSync(runtimePath, { recursive: true, mode: 0o700 });
    return runtimePath;
  } catch (cause) {
    if (environment.ENROOT_RUNTIME_PATH) throw cannotMake(runtimePath, cause);
  }
  const own = join(tempPath, `.denroot-runtime-${process.geteuid!()}`);
  try {
    return makePrivateDirectory(own);
  } catch (cause) {
    throw cannotMake(own, cause);
  }
}

function cannotMake(path: string, cause: unknown): DenrootError {
  return new DenrootError("file", `The directory ${path} cannot be made: ${messageOf(cause)}`, {
    cause,
    hint: "Set ENROOT_RUNTIME_PATH to a directory that you may make",
  });
}

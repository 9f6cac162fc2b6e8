/** This user's directory on a disk of this machine, for images that only this machine uses. */

import os from "node:os";
import path from "node:path";
import process from "node:process";
import type { Settings } from "../config/settings.ts";
import { DenrootError, isDiskFull, messageOf } from "../errors.ts";
import { makePrivateDirectory } from "../system/files/private_directory.ts";
import type { Step } from "./step.ts";

export type LocalSettings = Pick<Settings, "shareLocalPath" | "tempPath">;

/** It may be absent. */
export function localPath({ shareLocalPath, tempPath }: LocalSettings): string {
  return path.join(shareLocalPath ?? tempPath, `denroot-share-${process.geteuid!()}`);
}

/** Throws code `file` when others could change what is in it, and `space` on a full disk. */
export function makeLocalDirectory(settings: LocalSettings): string {
  try {
    return makePrivateDirectory(localPath(settings));
  } catch (cause) {
    throw localError(settings, cause);
  }
}

/** What the system says of this directory, for people. An error of denroot's own stays as it is. */
export function localError(settings: LocalSettings, cause: unknown): DenrootError {
  if (cause instanceof DenrootError) return cause;
  const message = `${localPath(settings)} cannot be used: ${messageOf(cause)}`;
  return new DenrootError(isDiskFull(cause) ? "space" : "file", message, {
    cause,
    hint: "Set DENROOT_SHARE_LOCAL_PATH to a directory on a disk of this machine that has room",
  });
}

/** How the files of a step begin: several machines may have one directory, against all advice. */
export function stepPrefix({ name }: Step): string {
  return `step-${name}-${os.hostname().replace(/[^\w-]/g, "-")}.`;
}

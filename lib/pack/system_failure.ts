/** What the kernel says about a file of the image that cannot be made. */

import { Buffer } from "node:buffer";
import { DenrootError } from "../errors.ts";
import { errnoName } from "../system/linux/system_error.ts";

const ELSEWHERE = "set ENROOT_DATA_PATH to a directory elsewhere";
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: `Free some space, or ${ELSEWHERE}`,
  EDQUOT: `Free some space, or ${ELSEWHERE}: your quota is used up`,
  EEXIST: "The file system does not tell some names apart, upper case and lower case perhaps: " +
    ELSEWHERE,
  EPERM: `The file system does not take such files: ${ELSEWHERE}`,
  EACCES: `The file system does not take such files: ${ELSEWHERE}`,
};

/** `path` lies below the image's root and has a character for each byte; `result` is negative. */
export function systemFailure(path: string, result: number): DenrootError {
  const name = errnoName(-result);
  const shown = Buffer.from(path, "latin1").toString();
  const hint = HINTS[name];
  return name === "ENOSPC" || name === "EDQUOT"
    ? new DenrootError("space", `There is no room left for /${shown} in the container`, { hint })
    : new DenrootError("file", `/${shown} cannot be made in the container: ${name}`, { hint });
}

/** What the kernel says about a file of the image that cannot be made. */

import { Buffer } from "node:buffer";
import { getSystemErrorName } from "node:util";
import { DenrootError } from "../errors.ts";

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
  const name = getSystemErrorName(result);
  const code = name === "ENOSPC" || name === "EDQUOT" ? "space" : "file";
  const shown = Buffer.from(path, "latin1").toString();
  return new DenrootError(code, `/${shown} cannot be made in the container: ${name}`, {
    hint: HINTS[name],
  });
}

/** An error of a system call. */

import os from "node:os";

/** Which call failed on which thing, and the error's name. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** `mount /proc on /root/proc`. */
  readonly call: string;
  readonly errno: number;
  /** `EPERM`, as {@link errnoName} gives it. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** Whether `error` is a {@link SystemError} with one of these names. */
export function hasErrno(error: unknown, ...codes: readonly string[]): error is SystemError {
  return error instanceof SystemError && codes.includes(error.code);
}

/** `ENOSPC` for 28; the number as text for one without a name. The runtimes' own function lacks EDQUOT. */
export function errnoName(errno: number): string {
  const found = Object.entries(os.constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? String(errno);
}

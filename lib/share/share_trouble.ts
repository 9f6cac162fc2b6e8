/** What makes a share useless for now. It never fails a job: the caller does without the share. */

import { DenrootError, messageOf } from "../errors.ts";

/** Codes of an import that fails because of the directory it writes to. */
const OUTPUT_CODES: ReadonlySet<string> = new Set(["space", "file", "exists"]);

export class ShareTrouble extends Error {
  override readonly name = "ShareTrouble";
}

/** Turns errors of the system, and those of an import's output, into {@link ShareTrouble}. */
export function asShareTrouble(error: unknown): unknown {
  if (error instanceof DenrootError) {
    return OUTPUT_CODES.has(error.code) ? new ShareTrouble(error.message, { cause: error }) : error;
  }
  const isSystemError = error instanceof Error && "syscall" in error;
  return isSystemError ? new ShareTrouble(messageOf(error), { cause: error }) : error;
}

/** The code of a system's error: `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

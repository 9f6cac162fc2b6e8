/** What makes a share useless for now. It never fails a job: the caller does without the share. */

import { messageOf, systemCode } from "../errors.ts";

export class ShareTrouble extends Error {
  override readonly name = "ShareTrouble";
}

/** Turns errors of the system into {@link ShareTrouble}: only calls on the share throw them bare. */
export function asShareTrouble(error: unknown): unknown {
  const isSystemError = error instanceof Error && "syscall" in error;
  return isSystemError ? new ShareTrouble(messageOf(error), { cause: error }) : error;
}

/** Whether the file system cannot make a link, as opposed to one whose name is taken. */
export function lacksLinks(error: unknown): boolean {
  return NO_LINKS.has(systemCode(error));
}

const NO_LINKS: ReadonlySet<string> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
]);

/** Whether this user may have the threads of an import: the runtime crashes where it lacks one. */

import { DenrootError } from "../errors.ts";
import { accountId } from "../system/host/environment.ts";
import { type Limits, limitText } from "../system/host/limits.ts";

/** Eleven threads of Bun's and nine of mksquashfs's, with one processor. */
export const LEAST_PROCESSES = 20;

/** Throws code `limit`. Root has no such limit. */
export function checkProcesses(limits: Limits, uid: number = accountId()): void {
  const most = limits.get("u") ?? Infinity;
  if (uid === 0 || most >= LEAST_PROCESSES) return;
  throw new DenrootError("limit", `There are too few ${limitText("u", most)}`, {
    hint: `An import needs ${LEAST_PROCESSES} at least. Raise the limit, or ask the scheduler or ` +
      "the administrator for more",
  });
}

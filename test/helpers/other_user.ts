/** Running programs as the user `nobody`; only root can do that. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const nobody = 65534;

/** Put before a command, it runs the command as `nobody`. */
export const asNobody = [
  "setpriv",
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  "--clear-groups",
] as const;

/**
 * The same, with subordinate IDs from `firstId` on that only the command's processes see. The file
 * that names them lies in `directory`.
 */
export function asNobodyWithIds(
  directory: string,
  firstId: number,
): readonly [string, ...string[]] {
  const ids = join(directory, "subordinate-ids");
  writeFileSync(ids, `nobody:${firstId}:65536\n`);
  const script = 'mount --bind "$0" /etc/subuid; mount --bind "$0" /etc/subgid; exec "$@"';
  return ["unshare", "--mount", "sh", "-ec", script, ids, ...asNobody];
}

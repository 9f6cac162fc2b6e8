/** Mounts that hooks ask for. */

import type { MountLine } from "../../types/container.ts";

/** A line of a mount table; `type` is that of a file system, where it is no bind. */
export function mountLine(
  source: string,
  target: string,
  options: readonly string[],
  type = "none",
): MountLine {
  return { source, target, type, options, pass: 0 };
}

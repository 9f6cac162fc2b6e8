/** Whether there are squashfs tools that an import can use. */

import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { checkSquashOptions } from "../squashfs/check_squash_options.ts";
import { findMksquashfs, findUnsquashfs, type SquashfsTool } from "../tools/find_tools.ts";
import { type Finding, Findings } from "./finding.ts";

export async function checkSquashfs(settings: Settings): Promise<Finding[]> {
  const found = new Findings("Squashfs tools");
  try {
    checkSquashOptions(settings.squashOptions);
    using mksquashfs = await findMksquashfs(settings);
    found.ok("mksquashfs", ["import"], `${mksquashfs.version}, ${where(mksquashfs)}`);
    try {
      using unsquashfs = await findUnsquashfs(settings);
      found.ok(
        "unsquashfs",
        ["import --verify", "create"],
        `${unsquashfs.version}, ${where(unsquashfs)}`,
      );
    } catch (error) {
      found.add("warning", "unsquashfs", ["import --verify", "create"], ...explained(error));
    }
  } catch (error) {
    found.add("error", "mksquashfs", ["import"], ...explained(error));
  }
  return found.list;
}

function where({ origin, location }: SquashfsTool): string {
  return origin === "carried" ? `denroot's own, in ${location}` : location;
}

function explained(error: unknown): [message: string, remedy: string | undefined] {
  return [messageOf(error), error instanceof DenrootError ? error.hint : undefined];
}

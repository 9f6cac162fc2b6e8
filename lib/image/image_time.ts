/** The time that an enroot image says it was made at: seconds since 1970. */

import { RELEASED } from "../system/version.ts";
import { squashfsTime } from "../tar/squashfs_time.ts";
import type { Mksquashfs } from "../tools/find_tools.ts";

/** Reads `created` of the configuration; gives 0 when it says nothing, or no time. */
export function creationTime(created: string | undefined): number {
  const milliseconds = created === undefined ? NaN : Date.parse(created);
  return Number.isNaN(milliseconds) ? 0 : squashfsTime(Math.floor(milliseconds / 1000));
}

/** An old mksquashfs lowers file times to the image's own time, which is therefore made a late one. */
export function imageTime(created: number, { setsRootTime }: Mksquashfs): number {
  return setsRootTime ? created : Math.max(created, RELEASED);
}

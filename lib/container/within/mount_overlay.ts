/** A layer in memory above a directory, which takes what is written. */

import { chmodSync, mkdirSync, statSync } from "node:fs";
import { mount, MS } from "../../system/linux/mounts.ts";
import { hasErrno } from "../../system/linux/system_error.ts";

/**
 * Gives the path of the overlay, which lies in `directory`. Undefined where the kernel lets a user
 * namespace mount none: before 5.11, for example.
 */
export function mountOverlay(lower: string, directory: string): string | undefined {
  const { root, data } = layerDirectories(lower, directory);
  try {
    mount("overlay", root, "overlay", MS.NOSUID | MS.NODEV, `${data},userxattr,xino=off`);
  } catch (error) {
    if (hasErrno(error, "EPERM", "EACCES", "EINVAL", "ENODEV", "ELOOP")) return undefined;
    throw error;
  }
  return root;
}

/** Makes what an overlay needs in `directory`. Gives its place, and the options for it. */
export function layerDirectories(
  lower: string,
  directory: string,
): { readonly root: string; readonly data: string } {
  const [root, upper, work] = ["root", "upper", "work"].map((name) => `${directory}/${name}`);
  for (const part of [root!, upper!, work!]) mkdirSync(part, { recursive: true, mode: 0o755 });
  // The root's own permissions are the upper layer's, whatever the umask is.
  chmodSync(upper!, statSync(lower).mode & 0o7777);
  const escaped = (path: string) => path.replace(/[\\,:]/g, "\\$&");
  const data = `lowerdir=${escaped(lower)},upperdir=${escaped(upper!)},workdir=${escaped(work!)}`;
  return { root: root!, data };
}

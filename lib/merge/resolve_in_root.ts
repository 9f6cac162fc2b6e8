/** Follows symlinks inside the image's root, as the kernel does after a chroot. */

import { join, parentOf, PathError } from "./clean_path.ts";

export type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "directory" }
  | { readonly kind: "other" }
  | { readonly kind: "symlink"; readonly target: string };

/** Tells what a tree has at a path. No component but the last may be a symlink. */
export type Lookup = (path: string) => Found;

/** The kernel follows as many symlinks. */
const MAX_FOLLOWED = 40;

/**
 * Gives the path to which `path` leads: every symlink on the way is followed, the last one too.
 * Components that do not exist are kept. Throws {@link PathError} after 40 symlinks.
 */
export function resolveInRoot(lookup: Lookup, path: string): string {
  const todo = path.split("/").reverse();
  let here = "";
  let followed = 0;
  while (todo.length > 0) {
    const part = todo.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      here = parentOf(here);
      continue;
    }
    const next = join(here, part);
    const found = lookup(next);
    if (found.kind !== "symlink") {
      here = next;
      continue;
    }
    if (++followed > MAX_FOLLOWED) {
      throw new PathError(`The path '${path}' leads through too many symlinks`);
    }
    if (found.target.startsWith("/")) here = "";
    todo.push(...found.target.split("/").reverse());
  }
  return here;
}

/** Following symlinks inside the image's root, as the kernel would after a chroot. */

import { join, parentOf, PathError } from "./clean_path.ts";

export type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "directory" }
  | { readonly kind: "other" }
  | { readonly kind: "symlink"; readonly target: string };

/** What a tree has under a path that holds no symlink before its last component. */
export type Lookup = (path: string) => Found;

const MAX_FOLLOWED = 40;

/**
 * Where `path` leads when every symlink on the way, the last included, is followed. Components that
 * are absent are kept as they are. Throws {@link PathError} on a loop.
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
    if (++followed > MAX_FOLLOWED) throw new PathError(`Too many symlinks lead on from '${path}'`);
    if (found.target.startsWith("/")) here = "";
    todo.push(...found.target.split("/").reverse());
  }
  return here;
}

/** Names that remove files of lower layers (image-spec, layer.md, "Whiteouts"). */

import { baseName, join, parentOf, PathError } from "./clean_path.ts";

const PREFIX = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** aufs kept files of its own in images under such names; engines ignore them. */
const AUFS = ".wh..wh.";

export type Whiteout =
  /** Removes `path`, and all below it, of lower layers. */
  | { readonly kind: "path"; readonly path: string }
  /** Removes all that lower layers have below `path`. */
  | { readonly kind: "opaque"; readonly path: string }
  /** Has no meaning: ignore it. */
  | { readonly kind: "aufs" };

/** Reads a clean path as a whiteout; gives undefined for other paths. Throws {@link PathError}. */
export function parseWhiteout(path: string): Whiteout | undefined {
  if (!path.includes(PREFIX)) return undefined;
  const name = baseName(path);
  if (name === OPAQUE) return { kind: "opaque", path: parentOf(path) };
  if (path.startsWith(AUFS) || name.startsWith(AUFS)) return { kind: "aufs" };
  if (!name.startsWith(PREFIX)) return undefined;
  const hidden = name.slice(PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new PathError(`The whiteout '${path}' names no file`);
  }
  return { kind: "path", path: join(parentOf(path), hidden) };
}

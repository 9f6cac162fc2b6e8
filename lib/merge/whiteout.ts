/** Names that stand for removals (image-spec, layer.md, "Whiteouts"). */

import { baseName, join, parentOf, PathError } from "./clean_path.ts";

const PREFIX = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** aufs kept its own files in images under such names; engines pass over them. */
const AUFS = ".wh..wh.";

export type Whiteout =
  /** Hides `path`, and what lies below it, in lower layers. */
  | { readonly kind: "path"; readonly path: string }
  /** Hides what lower layers have below `path`. */
  | { readonly kind: "opaque"; readonly path: string }
  /** To be passed over. */
  | { readonly kind: "aufs" };

/** Reads a clean path as a whiteout; undefined for an ordinary one. Throws {@link PathError}. */
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

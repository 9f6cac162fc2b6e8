/** Makes paths below the root from the names in an archive. */

/** A path of a layer leads out of the root, or no file system can hold it. */
export class PathError extends Error {
  override readonly name = "PathError";
}

const MAX_NAME = 255;
const MAX_DEPTH = 4096;
/** PATH_MAX, less the zero byte at its end. */
const MAX_TARGET = 4095;
/** A path that is not clean: it has a slash at an end, two slashes, or a component of dots. */
const UNCLEAN = /^\/|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/;

/**
 * Gives the path without a leading slash and without `.`, `..` or empty components; the root is the
 * empty string. A `..` removes the component before it, as in Docker; symlinks are not followed.
 * Throws {@link PathError} on a path that leads above the root.
 */
export function cleanPath(path: string): string {
  const clean = UNCLEAN.test(path) ? cleanSlowly(path) : path;
  if (clean.length > MAX_NAME) checkLengths(clean);
  return clean;
}

/**
 * Throws {@link PathError} on a symlink that no kernel can make. An image with an empty target
 * could not even be read.
 */
export function checkSymlink(path: string, target: string): void {
  if (target === "") throw new PathError(`The symlink '${path}' has no target`);
  if (target.length > MAX_TARGET) {
    throw new PathError(`The target of the symlink '${path}' has more than ${MAX_TARGET} bytes`);
  }
}

/** `a/b/c` -> `a/b`; the parent of a name without a slash is the root, the empty string. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** `a/b/c` -> `c`. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `a/b` and `c` -> `a/b/c`. */
export function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

function cleanSlowly(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) {
      throw new PathError(`The path '${path}' leads out of the image`);
    }
  }
  return parts.join("/");
}

function checkLengths(path: string): void {
  const parts = path.split("/");
  if (parts.length > MAX_DEPTH) {
    throw new PathError(`The path '${path.slice(0, 80)}…' has more than ${MAX_DEPTH} levels`);
  }
  for (const part of parts) {
    if (part.length > MAX_NAME) {
      throw new PathError(`The name '${part.slice(0, 80)}…' has more than ${MAX_NAME} bytes`);
    }
  }
}

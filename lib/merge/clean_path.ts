/** Names of an archive made into paths below the root. */

/** A path of a layer that leads out of the root, or that no file system can hold. */
export class PathError extends Error {
  override readonly name = "PathError";
}

const MAX_NAME = 255;
const MAX_DEPTH = 4096;
/** PATH_MAX, less the zero byte at its end. */
const MAX_TARGET = 4095;
/** Needs work: a slash at either end or doubled, or a component of dots. */
const UNCLEAN = /^\/|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/;

/**
 * Relative, without `.`, `..` or empty components; the root is the empty string. Inner `..` are
 * taken lexically, as Docker does. Throws {@link PathError} on a path that climbs above the root.
 */
export function cleanPath(path: string): string {
  const clean = UNCLEAN.test(path) ? cleanSlowly(path) : path;
  if (clean.length > MAX_NAME) checkLengths(clean);
  return clean;
}

/**
 * Throws {@link PathError} on a symlink that no kernel could make. An image with an empty target
 * could not even be read.
 */
export function checkSymlink(path: string, target: string): void {
  if (target === "") throw new PathError(`The symlink '${path}' has no target`);
  if (target.length > MAX_TARGET) {
    throw new PathError(`The target of the symlink '${path}' has more than ${MAX_TARGET} bytes`);
  }
}

/** `a/b/c` -> `a/b`; what has no slash lies in the root, the empty string. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

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

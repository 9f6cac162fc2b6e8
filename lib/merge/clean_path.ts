/** Makes paths below the root from the names in an archive. */

/** A path of a layer leads out of the root, or no file system can hold it. */
export class PathError extends Error {
  override readonly name = "PathError";
}

const MAX_NAME = 255;
/** PATH_MAX, less the zero byte at its end: for paths and for the targets of symlinks. */
const MAX_PATH = 4095;
/** How much of a path a message shows. */
const SHOWN = 80;
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
  if (target === "") throw new PathError(`The symlink '${startOf(path)}' has no target`);
  if (target.length > MAX_PATH) {
    throw new PathError(
      `The target of the symlink '${startOf(path)}' has more than ${MAX_PATH} bytes`,
    );
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
      throw new PathError(`The path '${startOf(path)}' leads out of the image`);
    }
  }
  return parts.join("/");
}

function checkLengths(path: string): void {
  if (path.length > MAX_PATH) {
    throw new PathError(`The path '${startOf(path)}' has more than ${MAX_PATH} bytes`);
  }
  for (const part of path.split("/")) {
    if (part.length > MAX_NAME) {
      throw new PathError(`The name '${startOf(part)}' has more than ${MAX_NAME} bytes`);
    }
  }
}

/** What a message shows of a path, which may be a million bytes long. */
function startOf(path: string): string {
  return path.length > SHOWN ? `${path.slice(0, SHOWN)}...` : path;
}

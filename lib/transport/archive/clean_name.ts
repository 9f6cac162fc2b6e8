/** Cleans the names inside an archive. */

/**
 * Gives the path that a name has after unpacking: `./blobs//sha256/x` and `/blobs/sha256/x` become
 * `blobs/sha256/x`. Gives undefined for a name that leads out of the archive.
 */
export function cleanName(name: string): string | undefined {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

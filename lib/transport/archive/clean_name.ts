/** Names inside an archive. */

/**
 * A name as it lies in the archive's tree: `./blobs//sha256/x` and `/blobs/sha256/x` are
 * `blobs/sha256/x`, as whoever unpacks it has it. Undefined when it leads out of the tree.
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

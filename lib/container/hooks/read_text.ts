/** Text files of a container's root. */

import type { RootedFiles } from "../../types/container.ts";

/** Undefined where there is no regular file, or a longer one: what an image says is only a wish. */
export function readText(
  root: RootedFiles,
  path: string,
  limitBytes: number,
): string | undefined {
  try {
    const bytes = root.read(path, limitBytes);
    return bytes && new TextDecoder().decode(bytes);
  } catch {
    return undefined;
  }
}

/** Where denroot's own files go in a merged tree: where the image's symlinks lead. */

import type { OwnFile } from "../enroot/own_files.ts";
import { parentOf, PathError } from "../merge/clean_path.ts";
import type { Lookup } from "../merge/resolve_in_root.ts";

/** A merged tree, whichever way it was merged. */
interface MergedTree {
  readonly lookup: Lookup;
  resolve(path: string): string;
}

interface ResolvedOwnFiles {
  /** By the paths at which they are to be written. */
  readonly files: ReadonlyMap<string, OwnFile>;
  /** Directories that the image lacks, parents first. */
  readonly directories: ReadonlySet<string>;
}

/**
 * Throws PathError when a file cannot be written: a loop of symlinks, or another kind of file, is
 * in the way.
 */
export function resolveOwnFiles(
  tree: MergedTree,
  ownFiles: readonly OwnFile[],
  workingDir: string,
): ResolvedOwnFiles {
  const files = new Map<string, OwnFile>();
  const directories = new Set<string>();
  for (const file of ownFiles) {
    const path = tree.resolve(file.path);
    if (tree.lookup(path).kind === "directory") {
      throw new PathError(`'/${file.path}' cannot be written: '/${path}' is a directory`);
    }
    const other = files.get(path);
    if (other !== undefined) {
      throw new PathError(`'/${file.path}' and '/${other.path}' lead to the same file`);
    }
    addMissing(tree, parentOf(path), directories);
    files.set(path, file);
  }
  addWorkingDirectory(tree, workingDir, directories);
  return { files, directories };
}

/** If the image makes the working directory impossible, its program may still run. */
function addWorkingDirectory(tree: MergedTree, path: string, directories: Set<string>): void {
  try {
    const missing = new Set<string>();
    addMissing(tree, tree.resolve(path), missing);
    for (const directory of missing) directories.add(directory);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
  }
}

function addMissing(tree: MergedTree, path: string, directories: Set<string>): void {
  if (path === "") return;
  const { kind } = tree.lookup(path);
  if (kind === "other") throw new PathError(`The image's '/${path}' is not a directory`);
  if (kind !== "absent") return;
  addMissing(tree, parentOf(path), directories);
  directories.add(path);
}

/** Where denroot's own files go in a merged tree: where the image's symlinks lead. */

import { parentOf, PathError } from "../merge/clean_path.ts";
import type { Lookup } from "../merge/resolve_in_root.ts";
import type { OwnFile } from "../enroot/own_files.ts";

/** A merged tree: of either way of merging. */
export interface Tree {
  readonly lookup: Lookup;
  resolve(path: string): string;
}

export interface OwnPlaces {
  readonly files: ReadonlyMap<string, OwnFile>;
  /** To be made, since the image does not have them. */
  readonly directories: ReadonlySet<string>;
}

/** Throws PathError when a place cannot be had: a loop, or a file where a directory must be. */
export function ownPlaces(
  tree: Tree,
  ownFiles: readonly OwnFile[],
  workingDir: string,
): OwnPlaces {
  const files = new Map<string, OwnFile>();
  const directories = new Set<string>();
  for (const file of ownFiles) {
    const place = tree.resolve(file.path);
    if (tree.lookup(place).kind === "directory") {
      throw new PathError(`The image has a directory at '/${place}', where '/${file.path}' goes`);
    }
    const other = files.get(place);
    if (other !== undefined) {
      throw new PathError(`The image has one file for '/${file.path}' and '/${other.path}'`);
    }
    addMissing(tree, parentOf(place), directories);
    files.set(place, file);
  }
  addWorkingDirectory(tree, workingDir, directories);
  return { files, directories };
}

/** A working directory that cannot be made is the image's own fault; its commands may still run. */
function addWorkingDirectory(tree: Tree, path: string, directories: Set<string>): void {
  try {
    const missing = new Set<string>();
    addMissing(tree, tree.resolve(path), missing);
    for (const directory of missing) directories.add(directory);
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
  }
}

function addMissing(tree: Tree, path: string, directories: Set<string>): void {
  if (path === "") return;
  const { kind } = tree.lookup(path);
  if (kind === "other") throw new PathError(`The image's '/${path}' is no directory`);
  if (kind !== "absent") return;
  addMissing(tree, parentOf(path), directories);
  directories.add(path);
}

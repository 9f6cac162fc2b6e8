/** What of a container's files is no part of it: places of mounts, devices, enroot's own files. */

import { Buffer } from "node:buffer";
import {
  DIRECTORY,
  FILE_TYPE,
  type FileStatus,
  type NativeFiles,
  nativeFiles,
  REGULAR,
} from "../system/files/native_files.ts";
import { LOCK_NAME } from "./lock_name.ts";

const PERMISSIONS = 0o7777;
/** enroot's own: a lock, and the files of a bundle. */
const OWN_NAMES: Readonly<Record<string, number>> = { [LOCK_NAME]: REGULAR, ".enroot": DIRECTORY };

/**
 * Gives paths below `root`; all that is below such a path belongs to it. As enroot has it: the content
 * of `/dev`; directories, and empty files, that have no permissions, because mounts leave such places
 * behind; `/.lock`; `/.enroot`.
 */
export async function notExported(root: string): Promise<string[]> {
  const files = await nativeFiles();
  const directory = files.openRoot(root);
  if (directory < 0) return [];
  try {
    const search = new Search(files);
    search.directory(directory, "");
    return search.found.map((path) => Buffer.from(path, "latin1").toString());
  } finally {
    files.close(directory);
  }
}

class Search {
  readonly found: string[] = [];
  readonly #files: NativeFiles;

  constructor(files: NativeFiles) {
    this.#files = files;
  }

  /** `prefix` is the directory's path, with a slash at its end. */
  directory(directory: number, prefix: string): void {
    const names = this.#files.list(directory);
    // mksquashfs meets the same error, and says what it cannot read.
    if (typeof names === "number") return;
    for (const name of names) {
      const status = this.#files.status(directory, name);
      if (typeof status === "number") continue;
      const path = prefix + name;
      if (prefix === "dev/" || isLeftOut(path, status)) this.found.push(path);
      else if ((status.mode & FILE_TYPE) === DIRECTORY) this.#enter(directory, name, path);
    }
  }

  #enter(parent: number, name: string, path: string): void {
    const directory = this.#files.openDirectory(parent, name);
    if (directory < 0) return;
    try {
      this.directory(directory, `${path}/`);
    } finally {
      this.#files.close(directory);
    }
  }
}

function isLeftOut(path: string, { mode, size }: FileStatus): boolean {
  const type = mode & FILE_TYPE;
  if (OWN_NAMES[path] === type) return true;
  if ((mode & PERMISSIONS) !== 0) return false;
  return type === DIRECTORY || type === REGULAR && size === 0;
}

/** Gives a root file system the permissions that its user needs in it. */

import { Buffer } from "node:buffer";
import { parseSource, SOURCE_PATH } from "../enroot/source_file.ts";
import { usableMode } from "../enroot/permissions.ts";
import {
  DIRECTORY,
  FILE_TYPE,
  type NativeFiles,
  nativeFiles,
  REGULAR,
  SYMLINK,
} from "../system/files/native_files.ts";
import { type NativeChanges, nativeChanges } from "../system/files/native_changes.ts";

/** A line with a URI is far shorter. */
const MAX_SOURCE_BYTES = 64 * 1024;

/**
 * Does what enroot does by `chmod u+rX` on everything and `u+w` on directories. What cannot be changed
 * stays as it is. An image that says where it came from is left alone: an import has done it already.
 */
export async function makeTreeUsable(root: string): Promise<void> {
  const files = await nativeFiles();
  const directory = files.openRoot(root);
  if (directory < 0) return;
  try {
    if (hasSource(files, directory)) return;
    new UsableTree(files, await nativeChanges()).directory(directory);
  } finally {
    files.close(directory);
  }
}

class UsableTree {
  readonly #files: NativeFiles;
  readonly #changes: NativeChanges;

  constructor(files: NativeFiles, changes: NativeChanges) {
    this.#files = files;
    this.#changes = changes;
  }

  directory(directory: number): void {
    const own = this.#files.status(directory, "");
    if (typeof own !== "number") this.#fixOpen(directory, own.mode);
    const names = this.#files.list(directory);
    if (typeof names === "number") return;
    for (const name of names) this.#entry(directory, name);
  }

  #entry(directory: number, name: string): void {
    const status = this.#files.status(directory, name);
    if (typeof status === "number") return;
    const type = status.mode & FILE_TYPE;
    if (type === SYMLINK) return;
    const mode = status.mode & 0o7777;
    const usable = usableMode(type === DIRECTORY ? "directory" : "file", mode);
    if (usable !== mode) this.#changes.setModeOf(directory, name, usable);
    if (type !== DIRECTORY) return;
    const child = this.#files.openDirectory(directory, name);
    if (child < 0) return;
    try {
      this.directory(child);
    } finally {
      this.#files.close(child);
    }
  }

  #fixOpen(directory: number, mode: number): void {
    const usable = usableMode("directory", mode & 0o7777);
    if (usable !== (mode & 0o7777)) this.#changes.setMode(directory, usable);
  }
}

/** The file may be anything: a link, or a pipe that nobody writes to. */
function hasSource(files: NativeFiles, root: number): boolean {
  const [directoryName, fileName] = SOURCE_PATH.split("/") as [string, string];
  const directory = files.openDirectory(root, directoryName);
  if (directory < 0) return false;
  const file = files.openFile(directory, fileName);
  try {
    if (file < 0) return false;
    const status = files.status(file, "");
    if (typeof status === "number" || (status.mode & FILE_TYPE) !== REGULAR) return false;
    const buffer = Buffer.alloc(MAX_SOURCE_BYTES);
    const length = files.read(file, buffer);
    return length > 0 && parseSource(buffer.toString("utf8", 0, length)) !== undefined;
  } finally {
    if (file >= 0) files.close(file);
    files.close(directory);
  }
}

/** Removes a directory with all that is in it, and nothing else, whatever its permissions are. */

import { Buffer } from "node:buffer";
import path from "node:path";
import { DenrootError } from "../../errors.ts";
import { errnoName } from "../linux/system_error.ts";
import { DIRECTORY, EACCES, ENOENT, EPERM, FILE_TYPE, nativeFiles } from "./native_files.ts";
import type { FileStatus, NativeFiles } from "./native_files.ts";
import { type NativeChanges, nativeChanges } from "./native_changes.ts";

/** Directories deeper than this are first moved up: each level has an open descriptor. */
const MAX_DEPTH = 100;
/** Permissions with which an owner can empty a directory. */
const USABLE = 0o700;

/**
 * Removes the directory `root`. Links are removed and never followed; a directory on which another
 * file system is mounted is not entered. Directories that their owner cannot read or change get the
 * permissions for it, as `rm -rf` after `chmod -R u+rwX` would do.
 *
 * Throws code `file` with the first thing that stays; it removes what it can all the same.
 */
export async function removeTree(root: string): Promise<void> {
  const files = await nativeFiles();
  const parent = files.openRoot(path.dirname(root));
  if (parent < 0) throw cannotRemove(root, parent);
  try {
    new TreeRemoval(files, await nativeChanges(), root).run(parent);
  } finally {
    files.close(parent);
  }
}

class TreeRemoval {
  readonly #files: NativeFiles;
  readonly #changes: NativeChanges;
  readonly #root: string;
  #device = "";
  /** The root's descriptor, into which deep directories are moved. */
  #top = -1;
  #moved = 0;
  #failure: DenrootError | undefined;

  constructor(files: NativeFiles, changes: NativeChanges, root: string) {
    this.#files = files;
    this.#changes = changes;
    this.#root = root;
  }

  run(parent: number): void {
    const name = bytesOf(path.basename(this.#root));
    const status = this.#files.status(parent, name);
    if (status === ENOENT) return;
    if (typeof status === "number") throw cannotRemove(this.#root, status);
    this.#device = deviceOf(status);
    this.#directory(parent, name, this.#root, 0);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #directory(parent: number, name: string, shown: string, depth: number): void {
    let moved: number;
    do {
      moved = this.#moved;
      const directory = this.#open(parent, name);
      if (directory < 0) return this.#fail(shown, directory);
      if (depth === 0) this.#top = directory;
      try {
        this.#empty(directory, shown, depth);
      } finally {
        this.#files.close(directory);
      }
      // What was moved up is in the next listing.
    } while (depth === 0 && this.#moved > moved && this.#failure === undefined);
    const result = this.#changes.removeDirectory(parent, name);
    if (result < 0 && result !== ENOENT) this.#fail(shown, result);
  }

  #empty(directory: number, shown: string, depth: number): void {
    const names = this.#files.list(directory);
    if (typeof names === "number") return this.#fail(shown, names);
    for (const name of names) {
      const path = `${shown}/${Buffer.from(name, "latin1")}`;
      const result = this.#remove(directory, name);
      if (result >= 0 || result === ENOENT) continue;
      const status = this.#files.status(directory, name);
      if (typeof status === "number" || (status.mode & FILE_TYPE) !== DIRECTORY) {
        this.#fail(path, result);
      } else if (deviceOf(status) !== this.#device) {
        this.#failure ??= otherFileSystem(path);
      } else if (depth < MAX_DEPTH) {
        this.#directory(directory, name, path, depth + 1);
      } else {
        this.#moveUp(directory, name, path);
      }
    }
  }

  /** Unlinking a directory fails harmlessly, so most names cost one call. */
  #remove(directory: number, name: string): number {
    const result = this.#changes.remove(directory, name);
    if (result !== EACCES) return result;
    // The directory itself is not writable.
    return this.#changes.setMode(directory, USABLE) < 0
      ? result
      : this.#changes.remove(directory, name);
  }

  #open(parent: number, name: string): number {
    const directory = this.#files.openDirectory(parent, name);
    if (directory !== EACCES) return directory;
    const status = this.#files.status(parent, name);
    // A change of mode follows links, so it must be known that this is none.
    if (typeof status === "number" || (status.mode & FILE_TYPE) !== DIRECTORY) return directory;
    if (this.#changes.setModeOf(parent, name, USABLE) < 0) return directory;
    return this.#files.openDirectory(parent, name);
  }

  #moveUp(directory: number, name: string, shown: string): void {
    const target = `.denroot-deep-${++this.#moved}-${Math.random().toString(36).slice(2)}`;
    const result = this.#changes.rename(directory, name, this.#top, target);
    if (result < 0) this.#fail(shown, result);
  }

  #fail(shown: string, result: number): void {
    this.#failure ??= cannotRemove(shown, result);
  }
}

function bytesOf(name: string): string {
  return Buffer.from(name).toString("latin1");
}

/** The device's part of `FileStatus.identity`. */
function deviceOf({ identity }: FileStatus): string {
  return identity.slice(0, identity.lastIndexOf(":"));
}

function otherFileSystem(path: string): DenrootError {
  return new DenrootError(
    "file",
    `${path} cannot be removed: another file system is mounted on it`,
    {
      hint: "Unmount it, then try again",
    },
  );
}

function cannotRemove(path: string, result: number): DenrootError {
  const why = result === EACCES || result === EPERM
    ? "this user may not do so"
    : `the kernel says ${errnoName(-result)}`;
  return new DenrootError("file", `${path} cannot be removed: ${why}`);
}

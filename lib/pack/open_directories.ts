/** The directories on the way to where files are being made, held open one below the other. */

import { DenrootError } from "../errors.ts";
import { ENOENT, type NativeFiles } from "../system/files/native_files.ts";
import type { NativeChanges } from "../system/files/native_changes.ts";
import { systemFailure } from "./system_failure.ts";

/** A directory has these permissions until it gets its own: all that is needed to fill it. */
const WORKING_MODE = 0o700;
/** Each takes a descriptor. */
const MAX_DEPTH = 512;

/**
 * Every step is taken from an open directory and never through a symbolic link, so nothing is made
 * outside of the root. Entries of a tar stream mostly lie near each other: few steps are needed.
 */
export class OpenDirectories {
  readonly #files: NativeFiles;
  readonly #changes: NativeChanges;
  readonly #root: number;
  #path = "";
  #names: string[] = [];
  #descriptors: number[] = [];

  /** The caller opens and closes `root`. */
  constructor(files: NativeFiles, changes: NativeChanges, root: number) {
    this.#files = files;
    this.#changes = changes;
    this.#root = root;
  }

  /**
   * Opens the directory `path`, and makes it and its parents where they are not there. The descriptor
   * stays open until the next call. Throws code `file`.
   */
  enter(path: string): number {
    if (path !== this.#path) this.#move(path);
    return this.#descriptors.at(-1) ?? this.#root;
  }

  close(): void {
    this.#leave(0);
    this.#path = "";
  }

  #move(path: string): void {
    const names = path === "" ? [] : path.split("/");
    if (names.length > MAX_DEPTH) {
      throw new DenrootError("limit", `The image has directories deeper than ${MAX_DEPTH} levels`);
    }
    let same = 0;
    while (same < names.length && names[same] === this.#names[same]) same++;
    this.#leave(same);
    for (const name of names.slice(same)) {
      this.#descriptors.push(this.#open(name, path));
      this.#names.push(name);
    }
    this.#path = path;
  }

  #open(name: string, path: string): number {
    const parent = this.#descriptors.at(-1) ?? this.#root;
    let descriptor = this.#files.openDirectory(parent, name);
    if (descriptor === ENOENT) {
      const made = this.#changes.makeDirectory(parent, name, WORKING_MODE);
      descriptor = made < 0 ? made : this.#files.openDirectory(parent, name);
    }
    if (descriptor < 0) throw systemFailure(path, descriptor);
    return descriptor;
  }

  #leave(depth: number): void {
    for (const descriptor of this.#descriptors.splice(depth)) this.#files.close(descriptor);
    this.#names.length = depth;
  }
}

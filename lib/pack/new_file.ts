/** A regular file that is being written, with the permissions and the time that it gets. */

import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import type { NativeFiles } from "../system/files/native_files.ts";
import type { NativeChanges } from "../system/files/native_changes.ts";
import { ZEROS } from "../tar/entry.ts";
import { isImageXattr } from "../tar/image_xattrs.ts";
import { systemFailure } from "./system_failure.ts";

interface FileCalls {
  readonly files: NativeFiles;
  readonly changes: NativeChanges;
}

interface FileFacts {
  /** For messages. */
  readonly path: string;
  readonly mode: number;
  /** Whether the file does not get its mode when it is made. */
  readonly needsMode: boolean;
  readonly mtime: number;
  readonly size: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
/** It must not be there yet. */
const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
/** Zeros in this number become a hole; a smaller hole saves little and costs a call. */
const HOLE = 64 * 1024;

export class NewFile {
  readonly #files: NativeFiles;
  readonly #changes: NativeChanges;
  readonly #facts: FileFacts;
  readonly #descriptor: number;
  #position = 0;
  /** The file reaches at least as far as this. */
  #written = 0;

  /** Makes the file `name` in an open directory. */
  constructor(calls: FileCalls, directory: number, name: string, facts: FileFacts) {
    this.#files = calls.files;
    this.#changes = calls.changes;
    this.#facts = facts;
    this.#descriptor = this.#check(calls.changes.open(directory, name, NEW_FILE, facts.mode));
  }

  write(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at + HOLE <= bytes.length; at += HOLE) {
      if (!isZero(bytes.subarray(at, at + HOLE))) continue;
      this.#data(bytes.subarray(from, at));
      this.#position += HOLE;
      from = at + HOLE;
    }
    this.#data(bytes.subarray(from));
  }

  end(): void {
    const { mode, needsMode, mtime, size, xattrs } = this.#facts;
    if (this.#written < size) this.#check(this.#changes.setSize(this.#descriptor, size));
    setUserXattrs(this.#changes, this.#descriptor, xattrs);
    if (needsMode) this.#check(this.#changes.setMode(this.#descriptor, mode));
    this.#check(this.#changes.setTime(this.#descriptor, mtime));
    this.#files.close(this.#descriptor);
  }

  #data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const rest = at === 0 ? bytes : bytes.subarray(at);
      const count = this.#check(this.#changes.writeAt(this.#descriptor, rest, this.#position));
      at += count;
      this.#position += count;
      this.#written = this.#position;
    }
  }

  #check(result: number): number {
    if (result < 0) throw systemFailure(this.#facts.path, result);
    return result;
  }
}

/**
 * Sets the attributes that `create` sets too: those that any user may set. A file system without them
 * leaves them out.
 */
export function setUserXattrs(
  changes: NativeChanges,
  descriptor: number,
  xattrs: ReadonlyMap<string, Uint8Array> | undefined,
): void {
  for (const [name, value] of xattrs ?? []) {
    if (name.startsWith("user.") && isImageXattr(name)) changes.setXattr(descriptor, name, value);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[bytes.length - 1] === 0 &&
    Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}

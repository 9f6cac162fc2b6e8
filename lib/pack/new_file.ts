/** A regular file that is being written, with the permissions and the time that it gets. */

import { Buffer } from "node:buffer";
import type { NativeTree } from "../system/files/native_tree.ts";
import { ZEROS } from "../tar/entry.ts";
import { isImageXattr } from "../tar/image_xattrs.ts";
import { systemFailure } from "./system_failure.ts";

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

/** Zeros in this number become a hole; a smaller hole saves little and costs a call. */
const HOLE = 64 * 1024;

export class NewFile {
  readonly #tree: NativeTree;
  readonly #facts: FileFacts;
  readonly #descriptor: number;
  #position = 0;
  /** The file reaches at least as far as this. */
  #written = 0;

  constructor(tree: NativeTree, directory: number, name: string, facts: FileFacts) {
    this.#tree = tree;
    this.#facts = facts;
    this.#descriptor = this.#check(tree.createFile(directory, name, facts.mode));
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
    if (this.#written < size) this.#check(this.#tree.setSize(this.#descriptor, size));
    setUserXattrs(this.#tree, this.#descriptor, xattrs);
    if (needsMode) this.#check(this.#tree.setMode(this.#descriptor, mode));
    this.#check(this.#tree.setTime(this.#descriptor, mtime));
    this.#tree.close(this.#descriptor);
  }

  #data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const rest = at === 0 ? bytes : bytes.subarray(at);
      const count = this.#check(this.#tree.writeAt(this.#descriptor, rest, this.#position));
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
  tree: NativeTree,
  descriptor: number,
  xattrs: ReadonlyMap<string, Uint8Array> | undefined,
): void {
  for (const [name, value] of xattrs ?? []) {
    if (name.startsWith("user.") && isImageXattr(name)) tree.setXattr(descriptor, name, value);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[bytes.length - 1] === 0 &&
    Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}

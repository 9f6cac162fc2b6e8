/** The files of a container's root, reached without ever leaving it. */

import { Buffer, isUtf8 } from "node:buffer";
import fs from "node:fs";
import os from "node:os";
import { DenrootError, isDiskFull } from "../../errors.ts";
import type { HeldFile, RootedFiles } from "../../types/container.ts";
import { nativeChanges } from "./native_changes.ts";
import {
  DIRECTORY,
  ELOOP,
  ENOENT,
  ENOTDIR,
  FILE_TYPE,
  nativeFiles,
  REGULAR,
  SYMLINK,
} from "./native_files.ts";
import { EEXIST, O_PATH, type RootedCalls, type Spot, walkInRoot } from "./rooted_walk.ts";

const AT_FDCWD = -100;
const EINTR = -4;
const EISDIR = -21;
const READ_BYTES = 64 * 1024;
/**
 * A file lies under this name, in its directory, until it is complete. Only one process at a time
 * writes into a root, so what another one left under it is of no use.
 */
const UNFINISHED = ".denroot-new";
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK, O_NOCTTY } =
  fs.constants;

/**
 * Opens the directory `path`, which may be reached through links, as a root. Rejects with code `file`
 * where there is none. Dispose of the result to close it.
 */
export async function rootedFiles(path: string): Promise<RootedFiles & Disposable> {
  const [native, changes] = await Promise.all([nativeFiles(), nativeChanges()]);
  const name = Buffer.from(path).toString("latin1");
  const root = changes.open(AT_FDCWD, name, O_PATH | O_DIRECTORY);
  if (root < 0) throw fileError(`The root file system ${path} cannot be opened`, root);
  return new OpenRoot(path, root, { native, changes });
}

class OpenRoot implements RootedFiles, Disposable {
  readonly path: string;
  readonly #root: number;
  readonly #calls: RootedCalls;

  constructor(path: string, root: number, calls: RootedCalls) {
    this.path = path;
    this.#root = root;
    this.#calls = calls;
  }

  read(path: string, limitBytes: number): Uint8Array | undefined {
    using held = this.#open(path, { followLast: true });
    if (held === undefined || this.#type(held.descriptor) !== REGULAR) return undefined;
    // Only now is it known to be no device and no FIFO, which would do something when they are opened.
    using file = this.#reopen(held.descriptor, O_RDONLY | O_NONBLOCK | O_NOCTTY, path);
    const chunks: Uint8Array[] = [];
    for (let length = 0; length <= limitBytes;) {
      const chunk = new Uint8Array(READ_BYTES);
      const count = this.#calls.native.read(file.descriptor, chunk);
      if (count === EINTR) continue;
      if (count < 0) throw this.#error("read", path, count);
      if (count === 0) return Buffer.concat(chunks);
      length += count;
      chunks.push(chunk.subarray(0, count));
    }
    throw new DenrootError("limit", `${path} in ${this.path} is longer than ${limitBytes} bytes`);
  }

  kind(path: string): ReturnType<RootedFiles["kind"]> {
    using held = this.#open(path, { followLast: false });
    return held && kindOf(this.#type(held.descriptor));
  }

  permissions(path: string): number | undefined {
    using held = this.#open(path, { followLast: true });
    return held && this.#mode(held.descriptor) & 0o7777;
  }

  list(path: string): readonly string[] {
    using held = this.#open(path, { followLast: true });
    if (held === undefined || this.#type(held.descriptor) !== DIRECTORY) return [];
    using directory = this.#reopen(held.descriptor, O_RDONLY | O_DIRECTORY, path);
    const names = this.#calls.native.list(directory.descriptor);
    if (typeof names === "number") throw this.#error("list", path, names);
    return names.map((name) => Buffer.from(name, "latin1")).filter((bytes) => isUtf8(bytes))
      .map((bytes) => bytes.toString("utf8")).sort();
  }

  readLink(path: string): string | undefined {
    using spot = this.#walk(path, { followLast: false });
    if (spot === undefined) return undefined;
    const target = this.#calls.native.readLink(spot.directory, spot.name);
    return typeof target === "number" ? undefined : Buffer.from(target, "latin1").toString("utf8");
  }

  write(path: string, content: Uint8Array, mode: number): void {
    using spot = this.#place(path, false);
    const { changes } = this.#calls;
    this.#make(spot, path, (name) => {
      const file = changes.open(spot.directory, name, O_WRONLY | O_CREAT | O_EXCL, 0o600);
      if (file < 0) return file;
      using _ = this.#owned(file);
      const written = this.#writeAll(file, content);
      return written < 0 ? written : changes.setMode(file, mode);
    });
  }

  makeLink(path: string, target: string): void {
    using spot = this.#place(path, false);
    const bytes = Buffer.from(target).toString("latin1");
    if (this.#calls.native.readLink(spot.directory, spot.name) === bytes) return;
    this.#make(spot, path, (name) => this.#calls.changes.makeLink(spot.directory, name, bytes));
  }

  makeFile(path: string, mode: number): void {
    using spot = this.#place(path, true);
    if (spot.name === "") return;
    const { changes, native } = this.#calls;
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const file = changes.withoutMask(() => changes.open(spot.directory, spot.name, flags, mode));
    if (file >= 0) native.close(file);
    else if (file !== EEXIST) throw this.#error("make", path, file);
  }

  makeDirectory(path: string, mode: number): void {
    using spot = this.#place(path, true);
    if (spot.name === "") return;
    const { changes } = this.#calls;
    const made = changes.withoutMask(() => changes.makeDirectory(spot.directory, spot.name, mode));
    if (made === EEXIST) {
      const status = this.#calls.native.status(spot.directory, spot.name);
      if (typeof status !== "number" && (status.mode & FILE_TYPE) === DIRECTORY) return;
    }
    if (made < 0) throw this.#error("make", path, made);
  }

  remove(path: string): void {
    using spot = this.#walk(path, { followLast: false });
    if (spot === undefined) return;
    const removed = this.#calls.changes.remove(spot.directory, spot.name || ".");
    if (removed < 0 && removed !== ENOENT) throw this.#error("remove", path, removed);
  }

  hold(path: string): HeldFile | undefined {
    const held = this.#open(path, { followLast: true });
    if (held === undefined) return undefined;
    const type = this.#type(held.descriptor);
    // Somebody has just put a link there: what would be mounted on it is anybody's guess.
    if (type === SYMLINK) {
      held[Symbol.dispose]();
      throw this.#error("open", path, ELOOP);
    }
    return {
      path: `/proc/self/fd/${held.descriptor}`,
      isDirectory: type === DIRECTORY,
      [Symbol.dispose]: () => held[Symbol.dispose](),
    };
  }

  [Symbol.dispose](): void {
    this.#calls.native.close(this.#root);
  }

  /** Makes a thing under another name, and gives it the name of the spot at once. */
  #make(spot: Spot, path: string, make: (name: string) => number): void {
    if (spot.name === "") throw this.#error("replace", path, EISDIR);
    const { changes } = this.#calls;
    let result = make(UNFINISHED);
    if (result === EEXIST) {
      changes.remove(spot.directory, UNFINISHED);
      result = make(UNFINISHED);
    }
    if (result >= 0) result = changes.rename(spot.directory, UNFINISHED, spot.directory, spot.name);
    if (result >= 0) return;
    changes.remove(spot.directory, UNFINISHED);
    throw this.#error("write", path, result);
  }

  #writeAll(file: number, content: Uint8Array): number {
    for (let at = 0; at < content.length;) {
      const count = this.#calls.changes.write(file, content.subarray(at));
      if (count === EINTR) continue;
      if (count < 0) return count;
      at += count;
    }
    return 0;
  }

  /** What the path leads to, opened without doing anything to it; undefined where nothing is. */
  #open(path: string, options: { readonly followLast: boolean }): Descriptor | undefined {
    using spot = this.#walk(path, options);
    if (spot === undefined) return undefined;
    const name = spot.name || ".";
    const descriptor = this.#calls.changes.open(spot.directory, name, O_PATH | O_NOFOLLOW);
    if (isNothing(descriptor)) return undefined;
    if (descriptor < 0) throw this.#error("open", path, descriptor);
    return this.#owned(descriptor);
  }

  #reopen(descriptor: number, flags: number, path: string): Descriptor {
    const again = this.#calls.changes.open(AT_FDCWD, `/proc/self/fd/${descriptor}`, flags);
    if (again < 0) throw this.#error("open", path, again);
    return this.#owned(again);
  }

  #walk(path: string, options: { readonly followLast: boolean }): Spot | undefined {
    const spot = walkInRoot(this.#calls, this.#root, path, options);
    if (typeof spot !== "number") return spot;
    if (isNothing(spot)) return undefined;
    throw this.#error("open", path, spot);
  }

  #place(path: string, followLast: boolean): Spot {
    const spot = walkInRoot(this.#calls, this.#root, path, { followLast, makeParents: true });
    if (typeof spot === "number") throw this.#error("make", path, spot);
    return spot;
  }

  #owned(descriptor: number): Descriptor {
    return { descriptor, [Symbol.dispose]: () => this.#calls.native.close(descriptor) };
  }

  #mode(descriptor: number): number {
    const status = this.#calls.native.status(descriptor, "");
    return typeof status === "number" ? 0 : status.mode;
  }

  #type(descriptor: number): number {
    return this.#mode(descriptor) & FILE_TYPE;
  }

  #error(verb: string, path: string, errno: number): DenrootError {
    return fileError(`Cannot ${verb} ${path} in the root file system ${this.path}`, errno);
  }
}

interface Descriptor extends Disposable {
  readonly descriptor: number;
}

/** A loop of links leads nowhere. */
function isNothing(result: number): boolean {
  return result === ENOENT || result === ENOTDIR || result === ELOOP;
}

function kindOf(type: number): ReturnType<RootedFiles["kind"]> {
  if (type === REGULAR) return "file";
  if (type === DIRECTORY) return "directory";
  return type === SYMLINK ? "symlink" : "other";
}

function fileError(message: string, errno: number): DenrootError {
  const code = Object.entries(os.constants.errno).find(([, value]) => value === -errno)?.[0] ??
    `error ${-errno}`;
  const cause = Object.assign(new Error(code), { code });
  return new DenrootError(isDiskFull(cause) ? "space" : "file", `${message}: ${code}`, { cause });
}

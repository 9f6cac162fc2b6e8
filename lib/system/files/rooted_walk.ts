/**
 * The way to a path inside a root, component by component. Each step opens one name in a directory
 * that is already open, and never lets the kernel follow a link: the targets of links are read, and
 * walked in the same way. `..` goes back to the directory from which the walk came, at most to the
 * root. So no link, no mount of /proc and no rename at the wrong moment leads out of the root, on
 * every kernel; openat2(2), which is younger than many of them, would add nothing.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import type { NativeChanges } from "./native_changes.ts";
import { ENOENT, ENOTDIR, type NativeFiles } from "./native_files.ts";

export interface RootedCalls {
  readonly native: NativeFiles;
  readonly changes: NativeChanges;
}

export interface WalkOptions {
  /** Whether a link at the very end is followed. */
  readonly followLast: boolean;
  /** Makes the directories that lack on the way, with mode 0755. */
  readonly makeParents?: boolean;
}

/** Where a path ends: a name in an open directory, which need not exist. */
export interface Spot extends Disposable {
  /** Valid until the spot is disposed of. */
  readonly directory: number;
  /** One character for each byte; empty when the path is the directory itself. */
  readonly name: string;
}

export const O_PATH = 0o10000000;
export const EEXIST = -17;
const ELOOP = -40;
const ENAMETOOLONG = -36;
const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;

/** The kernel follows as many. */
const MAX_LINKS = 40;
/** As the kernel's PATH_MAX. */
const MAX_PATH = 4096;
const PARENT_MODE = 0o755;

/** A result below 0 is the kernel's error number, negated. */
export function walkInRoot(
  calls: RootedCalls,
  root: number,
  path: string,
  options: WalkOptions,
): Spot | number {
  const walk = new Walk(calls, root, options);
  const result = walk.go(Buffer.from(path).toString("latin1"));
  if (typeof result === "number") walk[Symbol.dispose]();
  return result;
}

class Walk {
  /** Open directories from the root to where the walk is. The root's own is the caller's. */
  readonly #held: number[];
  readonly #calls: RootedCalls;
  readonly #options: WalkOptions;
  /** Names still to walk, the next one last. */
  readonly #pending: string[] = [];
  #links = 0;

  constructor(calls: RootedCalls, root: number, options: WalkOptions) {
    this.#calls = calls;
    this.#held = [root];
    this.#options = options;
  }

  go(path: string): Spot | number {
    if (path.length >= MAX_PATH) return ENAMETOOLONG;
    this.#add(path);
    while (this.#pending.length > 0) {
      if (this.#links > MAX_LINKS) return ELOOP;
      const name = this.#pending.pop()!;
      if (name === "..") {
        this.#up();
      } else if (this.#pending.length > 0) {
        const error = this.#into(name);
        if (error < 0) return error;
      } else if (!this.#options.followLast || !this.#followLink(name)) {
        return this.#spot(name);
      }
    }
    return this.#spot("");
  }

  [Symbol.dispose](): void {
    while (this.#held.length > 1) this.#up();
  }

  #spot(name: string): Spot {
    const directory = this.#held.at(-1)!;
    return { directory, name, [Symbol.dispose]: () => this[Symbol.dispose]() };
  }

  /** Steps into a directory, or replaces a link by its target. */
  #into(name: string): number {
    let descriptor = this.#openDirectory(name);
    if (descriptor === ENOENT && this.#options.makeParents) {
      const { changes } = this.#calls;
      const made = changes.withoutMask(() =>
        changes.makeDirectory(this.#held.at(-1)!, name, PARENT_MODE)
      );
      if (made < 0 && made !== EEXIST) return made;
      descriptor = this.#openDirectory(name);
    }
    if (descriptor === ENOTDIR && this.#followLink(name)) return 0;
    if (descriptor >= 0) this.#held.push(descriptor);
    return descriptor;
  }

  /** ENOTDIR for a link too. */
  #openDirectory(name: string): number {
    return this.#calls.changes.open(this.#held.at(-1)!, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  }

  /** Replaces a name by the link's target; false where the name is no link. */
  #followLink(name: string): boolean {
    const target = this.#calls.native.readLink(this.#held.at(-1)!, name);
    if (typeof target === "number") return false;
    this.#links++;
    if (target.startsWith("/")) this[Symbol.dispose]();
    this.#add(target);
    return true;
  }

  #add(path: string): void {
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    this.#pending.push(...names.reverse());
  }

  #up(): void {
    if (this.#held.length > 1) this.#calls.native.close(this.#held.pop()!);
  }
}

/** Directories in which nobody else can put a file, and files that nobody else can have put there. */

import type { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

/** Group and others. */
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
/** Whom a user namespace shows for owners outside of it, root among them. */
const NOBODY = 65534;
/** The user ids of a namespace that has all of them, as its `uid_map` says it. */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * Makes a directory of this user alone, or takes one that is there. Throws when anybody else could
 * change what is in it, or put another in its place.
 *
 * Gives its path without symbolic links: one on the way may be somebody else's, who can turn it.
 */
export function makePrivateDirectory(name: string): string {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  const parent = fs.realpathSync(path.dirname(name));
  const directory = path.join(parent, path.basename(name));
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const status = fs.lstatSync(directory);
  if (!status.isDirectory()) throw new Error(`${directory} is not a directory`);
  if (status.uid !== ownUser()) throw new Error(`${directory} belongs to another user`);
  if ((status.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new Error(`others may write to ${directory}`);
  }
  for (let at = parent;; at = path.dirname(at)) {
    refuseReplaceable(at);
    if (at === path.dirname(at)) return directory;
  }
}

/** A file of this user's that nobody else may write to, with exactly this content. */
export function isOwnFile(file: string, content: Buffer): boolean {
  try {
    const status = fs.lstatSync(file);
    return status.isFile() && status.uid === ownUser() &&
      (status.mode & WRITABLE_BY_OTHERS) === 0 && (status.mode & 0o100) !== 0 &&
      status.size === content.length && fs.readFileSync(file).equals(content);
  } catch {
    return false;
  }
}

/** Who may write to a directory may rename what is in it, unless it is sticky. */
function refuseReplaceable(ancestor: string): void {
  const { uid, mode } = fs.statSync(ancestor);
  if (uid !== 0 && uid !== ownUser() && !(uid === NOBODY && mayStandForRoot())) {
    throw new Error(`${ancestor} belongs to another user`);
  }
  if ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0) {
    throw new Error(`others may write to ${ancestor}`);
  }
}

/** Whether {@link NOBODY} can be root, seen from a namespace that does not know him. */
function mayStandForRoot(): boolean {
  try {
    return !ALL_USERS.test(fs.readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
}

function ownUser(): number {
  return process.geteuid!();
}

/** Directories and files that no other user can change. */

import type { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { systemCode } from "../../errors.ts";
import { realPath } from "./real_names.ts";

/** The write bits of group and others. */
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
/** The uid that a user namespace shows for an owner that it does not map, such as root. */
const NOBODY = 65534;
/** The `uid_map` of a namespace that maps all user ids. */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * Makes a directory that only this user can use, or takes one that is there. Throws when another
 * user could change what is in it, or put another directory in its place.
 *
 * Returns its path without symbolic links: the owner of a link on the way could change its target.
 */
export function makePrivateDirectory(name: string): string {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  const parent = realPath(path.dirname(name));
  const directory = path.join(parent, path.basename(name));
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
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

/** Whether only this user may write to the file, and it can be run and has exactly this content. */
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

/** A user who may write to a directory may rename what is in it, unless the directory is sticky. */
function refuseReplaceable(ancestor: string): void {
  const { uid, mode } = fs.statSync(ancestor);
  if (uid !== 0 && uid !== ownUser() && !(uid === NOBODY && mayStandForRoot())) {
    throw new Error(`${ancestor} belongs to another user`);
  }
  if ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0) {
    throw new Error(`others may write to ${ancestor}`);
  }
}

/** Whether {@link NOBODY} can be root, seen from a namespace that does not map root. */
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

/** Who may use a cache: the modes of what is in it follow the mode of its directory. */

import fs from "node:fs";
import process from "node:process";

const GROUP_WRITABLE = 0o020;
const OTHERS_WRITABLE = 0o002;
const SETGID = 0o2000;
const STICKY = 0o1000;
const READABLE_BY_OTHERS = 0o044;

export interface Sharing {
  /** Permission bits of the cache's files. */
  readonly fileMode: number;
  /** Permission bits of the directories in the cache, setgid and sticky included. */
  readonly directoryMode: number;
  /** Their group. Undefined when it does not matter. */
  readonly groupId: number | undefined;
  /** Whether a file may change between two readings of it. */
  readonly othersMayWrite: boolean;
}

/**
 * A directory that has the setgid bit, or that the group or all users may write to, is shared: its
 * files become readable by those who may read the directory. Any other one is private, and so is
 * what lies in it. Throws the system's errors.
 */
export function sharingOf(root: string): Sharing {
  const { mode, uid, gid } = fs.statSync(root);
  const othersMayWrite = (mode & (GROUP_WRITABLE | OTHERS_WRITABLE)) !== 0 ||
    uid !== process.geteuid!();
  if ((mode & (SETGID | GROUP_WRITABLE | OTHERS_WRITABLE)) === 0) {
    return { fileMode: 0o600, directoryMode: 0o700, groupId: undefined, othersMayWrite };
  }
  // Without setgid, new files would get the group of their user instead of the directory's.
  const isGroups = (mode & GROUP_WRITABLE) !== 0 && (mode & OTHERS_WRITABLE) === 0;
  return {
    fileMode: 0o600 | (mode & READABLE_BY_OTHERS),
    directoryMode: 0o700 | (mode & (SETGID | STICKY | 0o077)) | (isGroups ? SETGID : 0),
    groupId: gid,
    othersMayWrite,
  };
}

/** Makes a directory of the cache, whatever the umask says, or mends the mode of this user's own. */
export function makeSharedDirectory(directory: string, sharing: Sharing): void {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, gid, mode } = fs.statSync(directory);
  const { directoryMode, groupId } = sharing;
  if (groupId === undefined || uid !== process.geteuid!()) return;
  if (gid !== groupId) attempt(() => fs.chownSync(directory, uid, groupId));
  if ((mode & 0o7777) !== directoryMode) attempt(() => fs.chmodSync(directory, directoryMode));
}

/** A file system without owners or modes has nothing to share by them. */
function attempt(change: () => void): void {
  try {
    change();
  } catch {
    // Others then find that they cannot write there, and go on without the cache.
  }
}

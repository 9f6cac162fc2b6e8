/** The words that a mount table's options may be, with the flags of mount(2) for which they stand. */

import { MS } from "../system/linux/mounts.ts";

/** Words that set a flag. */
export const SETTING_WORDS: ReadonlyMap<string, number> = new Map([
  ["bind", MS.BIND],
  ["dirsync", MS.DIRSYNC],
  ["iversion", MS.I_VERSION],
  ["lazytime", MS.LAZYTIME],
  ["mand", MS.MANDLOCK],
  ["noatime", MS.NOATIME],
  ["nodev", MS.NODEV],
  ["nodiratime", MS.NODIRATIME],
  ["noexec", MS.NOEXEC],
  ["nosuid", MS.NOSUID],
  ["rbind", MS.BIND | MS.REC],
  ["relatime", MS.RELATIME],
  ["remount", MS.REMOUNT],
  ["ro", MS.RDONLY],
  ["silent", MS.SILENT],
  ["strictatime", MS.STRICTATIME],
  ["sync", MS.SYNCHRONOUS],
  ["x-move", MS.MOVE],
]);

/** Words that take a flag away again. */
export const CLEARING_WORDS: ReadonlyMap<string, number> = new Map([
  ["async", MS.SYNCHRONOUS],
  ["atime", MS.NOATIME],
  ["dev", MS.NODEV],
  ["diratime", MS.NODIRATIME],
  ["exec", MS.NOEXEC],
  ["loud", MS.SILENT],
  ["noiversion", MS.I_VERSION],
  ["nolazytime", MS.LAZYTIME],
  ["nomand", MS.MANDLOCK],
  ["norelatime", MS.RELATIME],
  ["nostrictatime", MS.STRICTATIME],
  ["rw", MS.RDONLY],
  ["suid", MS.NOSUID],
]);

/** Words for propagation; each needs a call of mount(2) of its own. */
export const PROPAGATION_WORDS: ReadonlyMap<string, number> = new Map([
  ["private", MS.PRIVATE],
  ["rprivate", MS.PRIVATE | MS.REC],
  ["rshared", MS.SHARED | MS.REC],
  ["rslave", MS.SLAVE | MS.REC],
  ["runbindable", MS.UNBINDABLE | MS.REC],
  ["shared", MS.SHARED],
  ["slave", MS.SLAVE],
  ["unbindable", MS.UNBINDABLE],
]);

/** Words without a flag: enroot's own, and those of fstab(5) that mean nothing to a container. */
const OTHER_WORDS: ReadonlySet<string> = new Set([
  "auto",
  "defaults",
  "group",
  "noauto",
  "nofail",
  "nogroup",
  "noowner",
  "nouser",
  "nousers",
  "owner",
  "user",
  "users",
  "x-create=auto",
  "x-create=dir",
  "x-create=file",
  "x-detach",
]);

/** Whether an option is one of mount(8) or enroot. All others are given to the file system. */
export function isMountWord(word: string): boolean {
  return SETTING_WORDS.has(word) || CLEARING_WORDS.has(word) || PROPAGATION_WORDS.has(word) ||
    OTHER_WORDS.has(word);
}

/** What the options of a line of a mount table ask for. Pure. */

import {
  CLEARING_WORDS,
  isMountWord,
  PROPAGATION_WORDS,
  SETTING_WORDS,
} from "../../enroot/mount_words.ts";
import { MS } from "../../system/linux/mounts.ts";

export interface MountOptions {
  /** Flags of mount(2), without those of propagation. */
  readonly flags: number;
  /** Flags that the options take away. */
  readonly cleared: number;
  /** Flags of the calls that set the propagation, one call for each. */
  readonly propagation: readonly number[];
  /** What the file system itself is told. */
  readonly data: string;
  /** What is made where the target is missing. */
  readonly create?: "file" | "directory" | "auto" | undefined;
  readonly detach: boolean;
  /** A failure is no error. */
  readonly mayFail: boolean;
  /** A failure that is no error is not worth a word either. */
  readonly silent: boolean;
}

const PROPAGATION_ORDER = [MS.SHARED, MS.SLAVE, MS.PRIVATE, MS.UNBINDABLE];

/** Later words win over earlier ones; `rbind` stays recursive beside `bind`, as in enroot. */
export function readMountOptions(words: readonly string[]): MountOptions {
  let flags = 0;
  let cleared = 0;
  for (const word of words) {
    const set = SETTING_WORDS.get(word) ?? 0;
    const clear = CLEARING_WORDS.get(word) ?? 0;
    flags = (flags | set) & ~clear;
    cleared = (cleared | clear) & ~set;
  }
  const has = (word: string) => words.includes(word);
  return {
    flags,
    cleared,
    propagation: propagationOf(words),
    data: words.filter((word) => !isMountWord(word)).join(","),
    create: createdKind(words),
    detach: has("x-detach"),
    mayFail: has("nofail"),
    silent: has("silent") && !has("loud"),
  };
}

/** enroot asks for a file first, wherever the words stand. */
function createdKind(words: readonly string[]): MountOptions["create"] {
  if (words.includes("x-create=file")) return "file";
  if (words.includes("x-create=dir")) return "directory";
  return words.includes("x-create=auto") ? "auto" : undefined;
}

function propagationOf(words: readonly string[]): readonly number[] {
  const asked = words.reduce((all, word) => all | (PROPAGATION_WORDS.get(word) ?? 0), 0);
  return PROPAGATION_ORDER.filter((kind) => asked & kind).map((kind) => {
    const isRecursive = words.some((word) => PROPAGATION_WORDS.get(word) === (kind | MS.REC));
    return isRecursive ? kind | MS.REC : kind;
  });
}

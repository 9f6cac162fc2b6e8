/** Parses mount tables: fstab(5) with enroot's shortened forms, options and references. */

import { Buffer } from "node:buffer";
import type { MountLine } from "../types/container.ts";
import { expandReferences, type LookUp } from "./expand_references.ts";
import { isMountWord } from "./mount_words.ts";

/** The line cannot be used; `message` says why. */
export class FstabError extends Error {}

/** enroot reads lines of up to this many bytes, the line's end included. */
const LINE_LIMIT_BYTES = 4096;

/** A line of a table, with its number from 1. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/** The lines of a table that ask for something: without comments and empty lines. */
export function fstabLines(table: string): readonly NumberedLine[] {
  return table.split("\n")
    .map((text, index) => ({ number: index + 1, text }))
    .filter(({ text }) => /^\s*[^\s#]/.test(text));
}

/**
 * Parses one line, which is no comment. The fields are source, target, type, options and two numbers;
 * these shortened forms stand for whole lines:
 *
 * - `tmpfs /target` for `tmpfs /target tmpfs`
 * - `/source` for `/source /source none rbind,x-create=auto`
 * - `/source /target` for `/source /target none rbind,x-create=auto`
 * - `/source bind` for `/source /source none bind`
 * - `/source /target bind` for `/source /target none bind`
 *
 * `lookUp` gives the values of `${NAME}`; without it they stay as they are. A value never ends its
 * field, whatever it contains. Where every field turns out to be empty, the result is undefined.
 *
 * Throws {@link FstabError}.
 */
export function parseFstabLine(text: string, lookUp?: LookUp): MountLine | undefined {
  if (Buffer.byteLength(text) + 1 >= LINE_LIMIT_BYTES) {
    throw new FstabError(`it is longer than ${LINE_LIMIT_BYTES - 2} bytes`);
  }
  const words = text.trim().split(/[ \t\r\v\f]+/);
  const [source = "", target = "", type = "", options = ""] = words.slice(0, 4)
    .map((word) => unescapeField(lookUp === undefined ? word : expandReferences(word, lookUp)));
  if (source === "" && target === "" && type === "" && options === "") return undefined;
  const complete = completeFields({ source, target, type, options });
  requireFields(complete);
  return {
    source: complete.source,
    target: complete.target,
    type: complete.type,
    options: complete.options.split(",").filter((word) => word !== ""),
    pass: passOf(words.slice(4)),
  };
}

/** As enroot's `--mount` has it: a line with colons in place of blanks. */
export function parseMountOption(option: string): MountLine {
  if (!/^[^\s:]+(?::[^\s:]+)*$/.test(option)) {
    throw new FstabError("its fields stand between single colons and contain no blanks");
  }
  const line = parseFstabLine(option.replaceAll(":", " "));
  if (line === undefined) throw new FstabError("it is empty");
  return line;
}

interface Fields {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** The shortened forms, in enroot's order: a word that is an option is taken for the options. */
function completeFields({ source, target, type, options }: Fields): Fields {
  if (type === "" && options === "" && isOptions(target)) {
    [target, type, options] = ["", "none", target];
  } else if (options === "" && isOptions(type)) {
    [target, type, options] = [target === "none" ? "" : target, "none", type];
  }
  const hasType = type !== "" && type !== "none";
  if (source === "tmpfs") return { source, target, type: hasType ? type : "tmpfs", options };
  if (source === "") return { source, target, type, options };
  return {
    source,
    target: target || source,
    type: type || "none",
    options: hasType ? options : options || "rbind,x-create=auto",
  };
}

function isNumber(word: string): boolean {
  return /^[-+]?\d{1,9}$/.test(word);
}

function isOptions(word: string): boolean {
  return word.includes(",") || isMountWord(word);
}

function requireFields({ source, target, type, options }: Fields): void {
  if (source === "") throw new FstabError("it has no source");
  if (target === "") throw new FstabError("it has no target");
  if (isNumber(type) || (isMountWord(type) && isNumber(options))) {
    throw new FstabError("numbers may only follow four other fields");
  }
  if ([source, target].some((field) => field.includes("\0"))) {
    throw new FstabError("a path contains a NUL character");
  }
}

/** The pass, which is the second number; the first one counts where that is 0 or missing. */
function passOf(words: readonly string[]): number {
  const comment = words.findIndex((word) => word.startsWith("#"));
  const numbers = comment < 0 ? words : words.slice(0, comment);
  const odd = numbers.find((word) => !isNumber(word));
  if (odd !== undefined || numbers.length > 2) {
    throw new FstabError("only two numbers may follow its four fields");
  }
  const [frequency = 0, pass = 0] = numbers.map(Number);
  return pass || frequency;
}

/** `\040` and the like are bytes in octal; two backslashes are one. */
function unescapeField(word: string): string {
  if (!word.includes("\\")) return word;
  const bytes = word.replace(/[^\\]+/g, (text) => Buffer.from(text).toString("latin1"))
    .replace(/\\(?:(\\)|([0-7]{1,3}))/g, (text, backslash?: string, octal?: string) => {
      if (backslash !== undefined) return backslash;
      const code = parseInt(octal!, 8) & 0xff;
      return code === 0 ? text : String.fromCharCode(code);
    });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw new FstabError("an escape sequence makes a name that is not UTF-8");
  }
}

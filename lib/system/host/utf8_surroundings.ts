/**
 * Arguments and variables that are not UTF-8. The runtimes put U+FFFD in the place of such bytes, or
 * leave the variable out: another file would be meant, and made.
 */

import { Buffer, isUtf8 } from "node:buffer";
import fs from "node:fs";
import { DenrootError } from "../../errors.ts";
import { REPLACEMENT } from "../files/real_names.ts";

/** Variables that denroot reads, or whose programs it starts do. Others may have any bytes. */
const READ =
  /^(?:HOME|PATH|TMPDIR|(?:all|https?|no)_proxy|(?:_?CONTAINERS?|DENROOT|DOCKER|ENROOT|REGISTR(?:Y|IES)|SSL|STORAGE|XDG)_.*)$/i;
const NUL = 0;

/** Throws code `usage` where one of the program's last arguments, `args`, is not UTF-8. */
export function requireUtf8Arguments(args: readonly string[]): void {
  const wrong = args.findIndex((arg) => arg.includes(REPLACEMENT));
  if (wrong < 0) return;
  const bytes = wordsIn("/proc/self/cmdline").slice(-args.length);
  // The argument may really have this character.
  if (bytes.length === args.length && bytes.every(isUtf8)) return;
  throw new DenrootError("usage", `The argument "${args[wrong]}" is not UTF-8`, {
    hint: "denroot takes only names that are UTF-8; rename the file, or use a link to it",
  });
}

/** Throws code `settings` where a variable that denroot reads is not UTF-8. */
export function requireUtf8Variables(): void {
  for (const variable of wordsIn("/proc/self/environ")) {
    if (isUtf8(variable)) continue;
    const name = variable.toString("utf8").split("=", 1)[0]!;
    if (!READ.test(name)) continue;
    throw new DenrootError("settings", `The environment variable ${name} is not UTF-8`, {
      hint: "denroot takes only names that are UTF-8; set it to another value, or unset it",
    });
  }
}

/** Nothing where there is no /proc. */
function wordsIn(file: string): Buffer[] {
  let content: Buffer;
  try {
    content = fs.readFileSync(file);
  } catch {
    return [];
  }
  const words: Buffer[] = [];
  for (let start = 0; start < content.length;) {
    const end = content.indexOf(NUL, start);
    words.push(content.subarray(start, end < 0 ? content.length : end));
    start = end < 0 ? content.length : end + 1;
  }
  return words;
}

/**
 * Paths as the kernel has them. A path is bytes, and both runtimes put U+FFFD in the place of bytes
 * that are not UTF-8: such a text would name another file, so these functions refuse the path.
 */

import { Buffer, isUtf8 } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { DenrootError, messageOf } from "../../errors.ts";

/** What the runtimes show for a byte that is not UTF-8. */
export const REPLACEMENT = "\ufffd";

/**
 * `name` from the root. It is not normalized: behind a symbolic link `..` is not where the text says.
 *
 * Throws code `file` where `name` is relative and the current directory was removed or is no text.
 */
export function absolutePath(name: string): string {
  return path.isAbsolute(name) ? name : `${currentDirectory()}/${name}`;
}

/** As {@link absolutePath}, without `.` and `..`. */
export function resolvedPath(name: string): string {
  return path.normalize(absolutePath(name)).replace(/(?<=.)\/$/, "");
}

/**
 * The path without symbolic links, as realpath(3) gives it. Throws the system's errors, and code
 * `file` where the path is not UTF-8.
 */
export function realPath(name: string): string {
  try {
    return textOf(fs.realpathSync.native(name, { encoding: "buffer" }));
  } catch (error) {
    throw isNoText(error) ? notUtf8(`The real path of ${name}`, error) : error;
  }
}

/** A symbolic link's target. Throws as {@link realPath} does. */
export function linkTarget(name: string): string {
  try {
    return textOf(fs.readlinkSync(name, { encoding: "buffer" }));
  } catch (error) {
    throw isNoText(error) ? notUtf8(`The target of the link ${name}`, error) : error;
  }
}

function currentDirectory(): string {
  let directory: string;
  try {
    directory = process.cwd();
  } catch (cause) {
    throw new DenrootError("file", `The current directory cannot be used: ${messageOf(cause)}`, {
      cause,
      hint: "Change to another directory, or use absolute paths",
    });
  }
  // A directory may really have this character in its name.
  return directory.includes(REPLACEMENT) ? realPath("/proc/self/cwd") : directory;
}

/** Deno gives a `Uint8Array`, whose `toString` is another. */
function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new TypeError("not valid UTF-8");
  return Buffer.from(bytes).toString("utf8");
}

/** Deno refuses such paths itself, in these words. */
function isNoText(error: unknown): boolean {
  return /not valid (?:utf-8|unicode)/i.test(messageOf(error));
}

function notUtf8(what: string, cause: unknown): DenrootError {
  return new DenrootError("file", `${what} is not UTF-8, and denroot cannot use it`, {
    cause,
    hint: "Use another directory, or rename it",
  });
}

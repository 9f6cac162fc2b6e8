/** `enroot-mount`, which scripts of sites call: mounts the lines of a table in a container that starts. */

import { readFileSync } from "node:fs";
import { FstabError, fstabLines, parseFstabLine } from "../../enroot/parse_fstab.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { rootedFiles } from "../../system/files/rooted_files.ts";
import type { MountLine } from "../../types/container.ts";
import { makeMount } from "../mounts/make_mount.ts";

const STDIN = 0;
const USAGE = "Usage: enroot-mount [--root DIR] [--pass NUMBER] FILE..., where - is standard input";

interface MountProgramOptions {
  readonly root: string;
  /** Only lines with this pass are mounted. */
  readonly pass: number;
  readonly files: readonly string[];
}

/** Resolves to the exit code; throws {@link DenrootError} at the first line that cannot be mounted. */
export async function runMountProgram(
  words: readonly string[],
  output: { log(level: "warn", message: string): void },
): Promise<number> {
  const { root: path, pass, files } = readOptions(words);
  using root = await rootedFiles(path);
  const warn = (message: string) => output.log("warn", message);
  for (const file of files) {
    const origin = file === "-" ? "enroot-mount" : file;
    for (const { number, text } of fstabLines(readTable(file))) {
      const line = parseLine(text, `${origin}, line ${number}`);
      if (line?.pass === pass) makeMount({ ...line, origin }, { root, warn });
    }
  }
  return 0;
}

function readOptions(words: readonly string[]): MountProgramOptions {
  let root = "/", pass = 0, at = 0;
  for (; words[at]?.startsWith("--"); at += 2) {
    const value = words[at + 1];
    if (value !== undefined && words[at] === "--root") root = value;
    else if (words[at] === "--pass" && /^-?\d{1,9}$/.test(value ?? "")) pass = Number(value);
    else throw new DenrootError("usage", USAGE);
  }
  const files = words.slice(at);
  if (files.length === 0) throw new DenrootError("usage", USAGE);
  return { root, pass, files };
}

function readTable(file: string): string {
  try {
    return readFileSync(file === "-" ? STDIN : file, "utf8");
  } catch (cause) {
    throw new DenrootError("file", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function parseLine(text: string, place: string): MountLine | undefined {
  try {
    return parseFstabLine(text);
  } catch (cause) {
    if (!(cause instanceof FstabError)) throw cause;
    throw new DenrootError("settings", `${place}: ${cause.message}`, { cause });
  }
}

/** Where a program that denroot carries can be put to run it, best place first. */

import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { Settings } from "../config/settings.ts";
import { AtomicFile } from "../system/files/atomic_file.ts";
import { memoryFile } from "../system/files/memory_file.ts";
import { keepFresh, removeStale } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import { realPath, resolvedPath } from "../system/files/real_names.ts";
import { isOwnFile, makePrivateDirectory } from "../system/files/private_directory.ts";

export interface RunPlace {
  /** For people. */
  readonly name: string;
  /** Throws when the program cannot be put there, or when another user could change it there. */
  put(name: string, content: Buffer): RunnableProgram | Promise<RunnableProgram>;
}

export interface RunnableProgram {
  readonly path: string;
  /** For people: `memory`, or the path. */
  readonly location: string;
  /** Removes the program, unless the place keeps it for the next time. */
  [Symbol.dispose](): void;
}

export type RunPlaceSettings = Pick<Settings, "cachePath" | "environment">;

const TEMPORARY = /^\.denroot-tools-(.+)$/;
/** A program that is not whole yet. */
const UNFINISHED = /^\.(.+)$/;
/** Only the user may read, change and run a program. */
const MODE = 0o700;

/** Memory, the cache, and the directories for temporary files. */
export function runPlaces({ cachePath, environment }: RunPlaceSettings): RunPlace[] {
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = environment;
  const directories = [runtime, temporary || "/tmp"]
    .filter((directory) => directory !== undefined && directory !== "")
    .map((directory) => resolvedPath(directory!));
  return [inMemory, inCache(cachePath), ...[...new Set(directories)].map(inTemporaryDirectory)];
}

const inMemory: RunPlace = {
  name: "memory",
  put(name, content) {
    const file = memoryFile(name, content);
    return { path: file.path, location: "memory", [Symbol.dispose]: () => file.close() };
  },
};

/**
 * A directory for each user, since users may share a cache; and in it one for each content, since
 * several versions of denroot may use the cache.
 */
export function inCache(cachePath: string): RunPlace {
  const name = path.join(cachePath, `tools-${process.geteuid!()}`);
  return {
    name,
    async put(program, content) {
      const digest = createHash("sha256").update(content).digest("hex");
      const own = makePrivateDirectory(name);
      const directory = makePrivateDirectory(path.join(own, digest));
      removeStale(own, (entry) => UNFINISHED.exec(entry)?.[1]);
      const file = path.join(directory, program);
      if (!isOwnFile(file, content)) {
        await placeProgram(path.join(own, `.${processMark()}`), file, content);
      }
      return { path: file, location: file, [Symbol.dispose]: () => {} };
    },
  };
}

/** Makes a directory of its own in `parent`; when this run is killed, the next one removes it. */
export function inTemporaryDirectory(parent: string): RunPlace {
  return {
    name: parent,
    async put(name, content) {
      removeStale(parent, (name) => TEMPORARY.exec(name)?.[1]);
      const directory = path.join(realPath(parent), `.denroot-tools-${processMark()}`);
      const letAge = keepFresh(directory);
      const remove = () => {
        letAge();
        fs.rmSync(directory, { recursive: true, force: true });
      };
      try {
        const file = path.join(makePrivateDirectory(directory), name);
        await placeProgram(`${file}.new`, file, content);
        return { path: file, location: file, [Symbol.dispose]: remove };
      } catch (error) {
        remove();
        throw error;
      }
    },
  };
}

/**
 * The first process that puts a program there wins: on a network file system, a program that another
 * host is running must not be replaced. A file that cannot be trusted is replaced.
 */
async function placeProgram(temporary: string, file: string, content: Buffer): Promise<void> {
  const written = new AtomicFile(temporary, { mode: MODE });
  try {
    written.write(content, 0);
    const isNew = await written.publish(file, { replace: false });
    if (!isNew && !isOwnFile(file, content)) await written.publish(file, { replace: true });
  } finally {
    written.close();
  }
}

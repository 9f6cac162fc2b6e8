/** Where a program that denroot carries can be put to run it, best first. */

import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { Settings } from "../config/settings.ts";
import { memoryFile } from "../system/files/memory_file.ts";
import { processMark, removeStale } from "../system/files/process_mark.ts";
import { isOwnFile, makePrivateDirectory } from "../system/files/private_directory.ts";

export interface Place {
  /** For people. */
  readonly name: string;
  /** Throws when the program cannot be put there, or not so that nobody else can change it. */
  put(name: string, content: Buffer): PlacedProgram | Promise<PlacedProgram>;
}

export interface PlacedProgram {
  readonly path: string;
  /** For people: `memory`, or the path. */
  readonly location: string;
  /** Removes it, unless it is to be kept for the next time. */
  [Symbol.dispose](): void;
}

export type PlaceSettings = Pick<Settings, "cachePath" | "environment">;

const TEMPORARY = /^\.denroot-tools-(.+)$/;
/** A program that is not whole yet. */
const UNFINISHED = /^\.(.+)$/;

/** Memory, the cache, and directories for temporary files. */
export function unpackPlaces({ cachePath, environment }: PlaceSettings): Place[] {
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = environment;
  const directories = [runtime, temporary || "/tmp"]
    .filter((directory) => directory !== undefined && directory !== "")
    .map((directory) => path.resolve(directory!));
  return [inMemory, inCache(cachePath), ...new Set(directories)].map((place) =>
    typeof place === "string" ? inTemporaryDirectory(place) : place
  );
}

const inMemory: Place = {
  name: "memory",
  async put(name, content) {
    const file = await memoryFile(name, content);
    return { path: file.path, location: "memory", [Symbol.dispose]: () => file.close() };
  },
};

/** By user, since a cache may be shared; by content, since many versions of denroot may use it. */
export function inCache(cachePath: string): Place {
  const name = path.join(cachePath, `tools-${process.geteuid!()}`);
  return {
    name,
    put(program, content) {
      const digest = createHash("sha256").update(content).digest("hex");
      const own = makePrivateDirectory(name);
      const directory = makePrivateDirectory(path.join(own, digest));
      removeStale(own, (entry) => UNFINISHED.exec(entry)?.[1]);
      const file = path.join(directory, program);
      if (!isOwnFile(file, content)) {
        const temporary = path.join(own, `.${processMark()}`);
        write(temporary, content);
        moveInto(temporary, file, content);
      }
      return { path: file, location: file, [Symbol.dispose]: () => {} };
    },
  };
}

/** In a directory of its own, which the next run removes when this one is killed. */
export function inTemporaryDirectory(parent: string): Place {
  return {
    name: parent,
    put(name, content) {
      removeStale(parent, (name) => TEMPORARY.exec(name)?.[1]);
      const directory = path.join(fs.realpathSync(parent), `.denroot-tools-${processMark()}`);
      const remove = () => fs.rmSync(directory, { recursive: true, force: true });
      try {
        const file = path.join(makePrivateDirectory(directory), name);
        write(file, content);
        return { path: file, location: file, [Symbol.dispose]: remove };
      } catch (error) {
        remove();
        throw error;
      }
    },
  };
}

function write(file: string, content: Buffer): void {
  const descriptor = fs.openSync(file, "wx", 0o700);
  try {
    fs.writeFileSync(descriptor, content);
    fs.fchmodSync(descriptor, 0o700);
    fs.fsyncSync(descriptor);
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * The first of many processes wins: on a network file system, what another host is just running
 * must not be replaced. A file that is not to be trusted is.
 */
function moveInto(temporary: string, file: string, content: Buffer): void {
  try {
    try {
      fs.linkSync(temporary, file);
    } catch {
      if (!isOwnFile(file, content)) fs.renameSync(temporary, file);
    }
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

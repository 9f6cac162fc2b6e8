/** A tar stream into mksquashfs, and its image under the final name: whole, or not at all. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import type { Child, ChildExit } from "../system/process/spawn_child.ts";
import { startChild } from "../system/process/start_child.ts";
import { nativeCalls } from "../system/native_calls.ts";
import { processMark, removeStale } from "../system/files/process_mark.ts";
import type { Mksquashfs } from "../tools/find_tools.ts";

export interface PackOptions {
  readonly mksquashfs: Mksquashfs;
  /** The user's options, as words separated by white space. */
  readonly squashOptions: string;
  readonly processors: number;
  /** Permission bits of the root directory. */
  readonly rootMode: number;
  /**
   * Of the file system and its root directory: seconds since 1970. A mksquashfs that does not
   * `setsRootTime` also caps the times of files by it.
   */
  readonly time: number;
  /** Replace an existing target. */
  readonly force: boolean;
}

export interface Packer {
  /** The socket that takes the tar stream; blocking. */
  readonly descriptor: number;
  /** To be called behind the stream's last byte: gives the path of the finished image. */
  finish(): Promise<string>;
  /** Gives the finished image its name. Gives its size. */
  publish(): number;
  /** Rejects with mksquashfs's own reason when it fails before {@link finish} was called. */
  readonly failure: Promise<never>;
  /** Has what is written so far go to the disk, so that little is left to wait for at the end. */
  flush(): void;
  /** Ends mksquashfs, if it still runs, and removes what it wrote. */
  abort(): Promise<void>;
  /** Closes the descriptor; nobody may write to it any more. */
  close(): void;
}

const TEMPORARY = /^\.denroot-(.+)\.sqsh$/;
/** Time given to mksquashfs to end after TERM. */
const TERM_GRACE_MS = 3000;
/** Memory for mksquashfs's queues. */
const BASE_MEMORY_MB = 64;
const PROCESSOR_MEMORY_MB = 8;
/** Options with which the user fixes times: ours would collide. */
const TIME_OPTIONS = new Set(["-mkfs-time", "-fstime", "-all-time", "-root-time"]);

/** Starts mksquashfs on a temporary file beside `target`. Throws codes `squashfs` and `file`. */
export async function startPacker(target: string, options: PackOptions): Promise<Packer> {
  const directory = path.dirname(target);
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
  const temporary = path.join(directory, `.denroot-${processMark()}.sqsh`);
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  let child: Child;
  try {
    child = await startChild(options.mksquashfs.path, argumentsFor(temporary, options), {
      stdin: theirs,
      env: environment(options),
      name: "mksquashfs",
    });
  } catch (cause) {
    native.close(ours);
    throw new DenrootError(
      "squashfs",
      `${options.mksquashfs.label} cannot be started: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    native.close(theirs);
  }

  let open = true;
  const close = () => {
    if (open) native.close(ours);
    open = false;
  };
  const program = options.mksquashfs.label;
  const failure = child.exited.then((exit): Promise<never> => {
    // It may have all it needs before `finish` is called: whether it did is told there.
    if (!open || exit.exitCode === 0) return new Promise(() => {});
    throw failureOf(exit, program, directory);
  });
  failure.catch(() => {});

  return {
    descriptor: ours,
    failure,
    async finish() {
      close();
      const exit = await child.exited;
      // Silence is part of success: what mksquashfs warns of is missing from the image.
      if (exit.exitCode !== 0 || exit.messages.trim() !== "") {
        throw failureOf(exit, program, directory);
      }
      return temporary;
    },
    flush: () => flushInBackground(temporary),
    publish: () => publish(temporary, target, options.force),
    async abort() {
      // TERM first: at the end of its input alone it would make an image of what it has.
      await child.end(TERM_GRACE_MS);
      try {
        fs.rmSync(temporary, { force: true });
      } catch {
        // The failure that led here says more than one to clean up.
      }
    },
    close,
  };
}

/** Splits as an unquoted shell variable is split. */
export function splitOptions(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function argumentsFor(output: string, options: PackOptions): string[] {
  const user = splitOptions(options.squashOptions);
  const mode = options.rootMode.toString(8);
  const ours = [
    "-tar",
    // Its search for duplicates mixes up files when it reads a tar.
    "-no-duplicates",
    "-all-root",
    "-root-mode",
    mode,
    "-no-progress",
    "-quiet",
    "-processors",
    String(options.processors),
    // By default a quarter of the machine's: paging that in costs more than it helps.
    "-mem",
    `${BASE_MEMORY_MB + options.processors * PROCESSOR_MEMORY_MB}M`,
  ];
  if (options.mksquashfs.setsRootTime && !fixesTimes(user)) {
    ours.push("-mkfs-time", String(options.time), "-root-time", String(options.time));
  }
  // The user's come last: one that lacks its value then cannot swallow one of ours.
  return ["-", output, ...ours, ...user];
}

function environment(options: PackOptions): Record<string, string> {
  const user = splitOptions(options.squashOptions);
  if (options.mksquashfs.setsRootTime || fixesTimes(user)) return {};
  return { SOURCE_DATE_EPOCH: String(options.time) };
}

function fixesTimes(words: readonly string[]): boolean {
  return words.some((word) => TIME_OPTIONS.has(word));
}

function failureOf(exit: ChildExit, program: string, directory: string): DenrootError {
  const { exitCode, signal, messages } = exit;
  const said = reasonIn(messages);
  const colon = said === "" ? "" : `: ${said}`;
  if (/no space left|write failed because/i.test(messages)) {
    return new DenrootError("space", `There is no room left in ${directory}${colon}`, {
      hint: "Free some space, or name an output elsewhere",
    });
  }
  const how = signal !== null
    ? `was ended by ${signal}`
    : exitCode === 0
    ? "made an image that is not whole"
    : `ended with status ${exitCode}`;
  return new DenrootError("squashfs", `${program} ${how}${colon}`, {
    hint: "Check ENROOT_SQUASH_OPTIONS, and the space and memory of this machine",
  });
}

/** The reason among its lines: a fatal error, else the first; a wrong option is followed by pages. */
function reasonIn(messages: string): string {
  const lines = messages.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const fatal = lines.find((line) => line.startsWith("FATAL ERROR"));
  return (fatal ?? lines[0] ?? "").replace(/^\S*mksquashfs: /, "");
}

function flushInBackground(path: string): void {
  fs.open(path, "r", (error, descriptor) => {
    if (error === null) fs.fdatasync(descriptor, () => fs.close(descriptor));
  });
}

function publish(temporary: string, target: string, force: boolean): number {
  try {
    const descriptor = fs.openSync(temporary, "r");
    fs.fsyncSync(descriptor);
    const { size } = fs.fstatSync(descriptor);
    fs.closeSync(descriptor);
    if (force) fs.renameSync(temporary, target);
    else linkNew(temporary, target);
    return size;
  } catch (cause) {
    fs.rmSync(temporary, { force: true });
    if (cause instanceof DenrootError) throw cause;
    throw new DenrootError("file", `${target} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

/** A link never replaces what came there meanwhile; a file system without links gets a rename. */
function linkNew(temporary: string, target: string): void {
  try {
    fs.linkSync(temporary, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || fs.existsSync(target)) {
      throw outputExists(target);
    }
    fs.renameSync(temporary, target);
    return;
  }
  fs.rmSync(temporary);
}

export function outputExists(target: string): DenrootError {
  return new DenrootError("exists", `${target} exists already`, {
    hint: "Use --force to replace it, or --output to name another",
  });
}

/** A tar stream into mksquashfs, and its image under the final name: whole, or not at all. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import type { Child, ChildExit } from "../system/process/spawn_child.ts";
import { startChild } from "../system/process/start_child.ts";
import { AtomicFile } from "../system/files/atomic_file.ts";
import { removeStale } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import { quoteText } from "../text/quote_text.ts";
import { nativeCalls } from "../system/native_calls.ts";
import {
  mksquashfsArguments,
  mksquashfsEnvironment,
  type SquashSettings,
} from "./mksquashfs_call.ts";

export interface PackOptions extends SquashSettings {
  /** Replace an existing target. */
  readonly force: boolean;
}

const TEMPORARY = /^\.denroot-(.+)\.sqsh$/;
/** Time given to mksquashfs to end after TERM. */
const TERM_GRACE_MS = 3000;

/** Starts mksquashfs on a temporary file beside `target`. Throws codes `squashfs` and `file`. */
export async function startPacker(target: string, options: PackOptions): Promise<Packer> {
  const directory = path.dirname(target);
  removeStale(directory, imageMark);
  const image = temporaryImage(directory);
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const closeOurs = () => native.close(ours);
  try {
    const child = await startMksquashfs(image.temporary, options, theirs);
    return new Packer(child, {
      target,
      image,
      descriptor: ours,
      closeDescriptor: closeOurs,
      options,
    });
  } catch (error) {
    closeOurs();
    throw error;
  } finally {
    native.close(theirs);
  }
}

/** The process mark in the name of a {@link temporaryImage}. */
export function imageMark(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[1];
}

/** A new image in `directory`, under a name by which later runs see whether this one was killed. */
export function temporaryImage(directory: string): AtomicFile {
  return new AtomicFile(path.join(directory, `.denroot-${processMark()}.sqsh`));
}

async function startMksquashfs(
  output: string,
  options: PackOptions,
  stdin: number,
): Promise<Child> {
  const { path, label } = options.mksquashfs;
  try {
    return await startChild(path, mksquashfsArguments(output, options), {
      stdin,
      env: mksquashfsEnvironment(options),
      name: "mksquashfs",
    });
  } catch (cause) {
    throw new DenrootError("squashfs", `${label} cannot be started: ${messageOf(cause)}`, {
      cause,
    });
  }
}

interface PackerParts {
  readonly target: string;
  readonly image: AtomicFile;
  readonly descriptor: number;
  readonly closeDescriptor: () => void;
  readonly options: PackOptions;
}

/** A mksquashfs that runs. {@link startPacker} makes it. */
export class Packer {
  /** The socket that takes the tar stream; blocking. */
  readonly descriptor: number;
  /** Rejects with mksquashfs's own reason when it fails before {@link finish} was called. */
  readonly failure: Promise<never>;
  readonly #child: Child;
  readonly #parts: PackerParts;
  #isOpen = true;

  constructor(child: Child, parts: PackerParts) {
    this.#child = child;
    this.#parts = parts;
    this.descriptor = parts.descriptor;
    this.failure = child.exited.then((exit): Promise<never> => {
      // It may end well before `finish` is called, with all that it needs: `finish` judges that.
      if (!this.#isOpen || exit.exitCode === 0) return new Promise(() => {});
      throw this.#failureOf(exit);
    });
    this.failure.catch(() => {});
  }

  /** Starts to write to the disk what the image holds so far, so that little is left at the end. */
  flush(): void {
    this.#parts.image.flush();
  }

  /** To be called behind the stream's last byte. Returns the path of the finished image. */
  async finish(): Promise<string> {
    this.close();
    const exit = await this.#child.exited;
    // Success is silent: a warning of mksquashfs names something that the image lacks.
    if (exit.exitCode !== 0 || exit.messages.trim() !== "") throw this.#failureOf(exit);
    return this.#parts.image.temporary;
  }

  /**
   * Gives the finished image its name. Returns its size in bytes. Throws codes `exists` and `file`;
   * the image is then removed.
   */
  async publish(): Promise<number> {
    const { image, target, options: { force } } = this.#parts;
    try {
      return await publishImage(image, target, force);
    } finally {
      image.close();
    }
  }

  /** Ends mksquashfs, if it still runs, and removes what it wrote. */
  async abort(): Promise<void> {
    // TERM comes first: at the end of its input mksquashfs would make an image of what it has.
    await this.#child.end(TERM_GRACE_MS);
    try {
      this.#parts.image.close();
    } catch {
      // The failure that led here matters more than the file that stays.
    }
  }

  /** Closes the descriptor: nobody may write to it any more. May be called twice. */
  close(): void {
    if (this.#isOpen) this.#parts.closeDescriptor();
    this.#isOpen = false;
  }

  #failureOf(exit: ChildExit): DenrootError {
    const { target, options } = this.#parts;
    return mksquashfsFailure(exit, options, path.dirname(target));
  }
}

/** Gives the size of the image. Throws codes `exists` and `file`; the image keeps its temporary name. */
export async function publishImage(
  image: AtomicFile,
  target: string,
  force: boolean,
): Promise<number> {
  try {
    const { size } = fs.statSync(image.temporary);
    if (await image.publish(target, { replace: force })) return size;
  } catch (cause) {
    const message = `${target} cannot be written: ${messageOf(cause)}`;
    throw new DenrootError("file", message, { cause });
  }
  throw outputExists(target);
}

export function outputExists(target: string): DenrootError {
  return new DenrootError("exists", `${target} exists already`, {
    hint: "Use --force to replace it, or --output to name another",
  });
}

/** What a mksquashfs that failed says about it, or about `directory`. */
export function mksquashfsFailure(
  exit: ChildExit,
  { mksquashfs: { label }, squashOptions }: Pick<PackOptions, "mksquashfs" | "squashOptions">,
  directory: string,
): DenrootError {
  const { exitCode, signal, messages } = exit;
  const said = reasonIn(messages);
  const colon = said === "" ? "" : `: ${said}`;
  if (/no space left|write failed because/i.test(messages)) {
    return new DenrootError("space", `There is no room left in ${directory}`, {
      hint: "Free some space, or name an output elsewhere",
    });
  }
  const how = signal !== null
    ? `was ended by ${signal}`
    : exitCode === 0
    ? "made an image that is not whole"
    : `ended with status ${exitCode}`;
  const options = squashOptions.trim() === "" ? "" : ` (${quoteText(squashOptions)})`;
  return new DenrootError("squashfs", `${label} ${how}${colon}`, {
    hint: `Check the options in ENROOT_SQUASH_OPTIONS or in the definition${options}, and the ` +
      "space and memory of this machine",
  });
}

/** The reason among its lines: a fatal error, or the first line, as help follows a wrong option. */
function reasonIn(messages: string): string {
  const lines = messages.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const fatal = lines.find((line) => line.startsWith("FATAL ERROR"));
  return (fatal ?? lines[0] ?? "").replace(/^\S*mksquashfs: /, "");
}

/** A directory into an image file, by mksquashfs itself, and under the final name only when it is whole. */

import path from "node:path";
import { DenrootError, messageOf, throwIfAborted } from "../errors.ts";
import { removeStale } from "../system/files/leftovers.ts";
import { startTool } from "../tools/start_tool.ts";
import type { Mksquashfs } from "../tools/find_tools.ts";
import { packingMemory, splitOptions } from "./mksquashfs_call.ts";
import { imageMark, mksquashfsFailure, publishImage, temporaryImage } from "./packer.ts";

export interface PackDirectoryOptions {
  readonly mksquashfs: Mksquashfs;
  /** The user's options, as words separated by white space. */
  readonly squashOptions: string;
  readonly processors: number;
  /** Paths below the directory that the image lacks, with all that is below them. */
  readonly without: readonly string[];
  /** Replace an existing target. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

/** mksquashfs goes on without what it cannot read. */
const INCOMPLETE = /creating empty file|skipping|ignoring|could not open|failed to read/i;

/**
 * Gives the size of the image. All files belong to root in it. Throws code `squashfs`, `space`,
 * `exists`, `file` when the image would lack something, and `aborted`.
 */
export async function packDirectory(
  directory: string,
  target: string,
  options: PackDirectoryOptions,
): Promise<number> {
  const { mksquashfs, force, signal, onWarning } = options;
  throwIfAborted(signal);
  const parent = path.dirname(target);
  removeStale(parent, imageMark);
  const image = temporaryImage(parent);
  try {
    const child = await startTool(
      "mksquashfs",
      mksquashfs,
      callOf(directory, image.temporary, options),
      signal,
    ).catch((cause) => {
      throw new DenrootError(
        "squashfs",
        `${mksquashfs.label} cannot be started: ${messageOf(cause)}`,
        { cause },
      );
    });
    const exit = await child.exited;
    throwIfAborted(signal);
    if (exit.exitCode !== 0) throw mksquashfsFailure(exit, options, parent);
    const lines = exit.messages.split("\n").map((line) => line.trim()).filter((line) =>
      line !== ""
    );
    const lack = lines.find((line) => INCOMPLETE.test(line));
    if (lack !== undefined) throw incomplete(directory, lack);
    if (lines[0] !== undefined) onWarning(`mksquashfs says: ${lines[0]}`);
    return await publishImage(image, target, force);
  } finally {
    image.close();
  }
}

function callOf(
  directory: string,
  output: string,
  { squashOptions, processors, without }: PackDirectoryOptions,
): string[] {
  return [
    directory,
    output,
    "-noappend",
    "-all-root",
    "-no-progress",
    "-quiet",
    ...["-processors", String(processors)],
    ...["-mem", packingMemory(processors)],
    ...splitOptions(squashOptions),
    // All words behind this one are paths.
    ...(without.length > 0 ? ["-e", ...without] : []),
  ];
}

function incomplete(directory: string, said: string): DenrootError {
  return new DenrootError(
    "file",
    `${directory} cannot be packed as a whole. mksquashfs says: ${said}`,
    { hint: "Give yourself the right to read the file, or remove it; no image was written" },
  );
}

/** Unpacks an image into a directory, by unsquashfs. */

import path from "node:path";
import { DenrootError, messageOf, throwIfAborted } from "../errors.ts";
import { capOpenFiles } from "../system/host/open_files.ts";
import type { SquashfsTool } from "../tools/find_tools.ts";
import { startTool } from "../tools/start_tool.ts";
import type { Superblock } from "./superblock.ts";

export interface UnpackOptions {
  readonly unsquashfs: SquashfsTool;
  readonly superblock: Superblock;
  readonly processors: number;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

/** For blocks and for fragments: unsquashfs takes three times as much by itself, and is slower. */
const QUEUE_MEGABYTES = "64";
/** unsquashfs reserves memory for each file that it may open. */
const MAX_OPEN_FILES = 65_536;
/** The exit status for trouble with single files. */
const NOT_FATAL = 2;
/** Trouble with which a root file system is as good as the user can have it. */
const HARMLESS: readonly RegExp[] = [
  /because you're not superuser!$/,
  /extended attributes are not supported by the destination filesystem/i,
  /^Ignoring xattrs in filesystem$/,
  /^To avoid this error message, specify -no-xattrs$/,
  // What follows such trouble when it ends.
  /^\s*$/,
];

/**
 * Unpacks `image` into `directory`, which is made.
 *
 * Throws code `squashfs` when the image is damaged or unsquashfs does not know its compressor, `space`
 * when the disk is full, and `aborted`.
 */
export async function unpackImage(
  image: string,
  directory: string,
  { unsquashfs, superblock, processors, signal, onWarning }: UnpackOptions,
): Promise<void> {
  throwIfAborted(signal);
  await capOpenFiles(MAX_OPEN_FILES);
  const words = [
    "-no-progress",
    "-quiet",
    "-user-xattrs",
    ...["-processors", String(processors)],
    ...["-data-queue", QUEUE_MEGABYTES, "-frag-queue", QUEUE_MEGABYTES],
    ...["-dest", directory, image],
  ];
  const child = await startTool("unsquashfs", unsquashfs, words, signal).catch((cause) => {
    throw new DenrootError(
      "squashfs",
      `${unsquashfs.label} cannot be started: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  });
  const exit = await child.exited;
  throwIfAborted(signal);
  const lines = exit.messages.split("\n").map((line) => line.trim());
  const serious = lines.filter((line) => !HARMLESS.some((pattern) => pattern.test(line)));
  if (exit.exitCode === 0 || exit.exitCode === NOT_FATAL && serious.length === 0) {
    const [warning] = lines.filter((line) => line !== "");
    if (warning !== undefined) onWarning(`unsquashfs says: ${warning}`);
    return;
  }
  throw unpackError(image, directory, unsquashfs, superblock, {
    how: exit.signal === null
      ? `ended with status ${exit.exitCode}`
      : `was ended by ${exit.signal}`,
    said: serious.find((line) => line !== "") ?? "",
  });
}

interface Failure {
  readonly how: string;
  readonly said: string;
}

function unpackError(
  image: string,
  directory: string,
  { label, version }: SquashfsTool,
  { compressor }: Superblock,
  { how, said }: Failure,
): DenrootError {
  if (/no space left|disk quota/i.test(said)) {
    return new DenrootError(
      "space",
      `There is no room left in ${path.dirname(directory)}`,
      {
        hint: "Free some space, or set ENROOT_DATA_PATH to a directory elsewhere",
      },
    );
  }
  if (/compress/i.test(said) && /unsupported|not supported|not built/i.test(said)) {
    return new DenrootError(
      "squashfs",
      `${image} is compressed by ${compressor ?? "an unknown method"}, which ${label} cannot read`,
      { hint: `Name another unsquashfs in DENROOT_UNSQUASHFS; this one is version ${version}` },
    );
  }
  const colon = said === "" ? "" : `: ${said.replace(/^FATAL ERROR:\s*/, "")}`;
  return new DenrootError("squashfs", `${image} cannot be unpacked: ${label} ${how}${colon}`, {
    hint: "The image may be damaged: copy or import it again",
  });
}

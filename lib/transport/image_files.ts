/** Gives access to the files that make up an image, in a directory or in an archive. */

import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { DenrootError, isMissing, messageOf, systemCode } from "../errors.ts";
import { realPath, resolvedPath } from "../system/files/real_names.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Descriptor } from "../types/image.ts";
import type { FileBlob } from "../types/source.ts";
import type { ArchiveContents, FilePosition } from "./archive/archive_contents.ts";

/** The files of an image. Their names are clean and relative to the root: `blobs/sha256/…`. */
export interface ImageFiles {
  /** The path that the user gave. */
  readonly path: string;

  /** Reads a small file. Throws code `not_found`, `file`, or `limit` for more than `limit` bytes. */
  read(name: string, limit: number): Promise<Uint8Array>;

  /** Writes the file to the disk if it is only in memory. Does nothing for a file that is missing. */
  keep(name: string): Promise<void>;

  /** Whether the bytes of the file lie in several parts of an archive, so that no place has them. */
  isSpread?(name: string): boolean;

  /** The bytes of a file that {@link isSpread}, from `start` to `end`. */
  stream?(
    name: string,
    start: number,
    end: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;

  /**
   * Where the bytes of a file are on the disk; undefined when the file is missing. Throws code `file`
   * for anything but a regular file, and for a link that leads out.
   */
  locate(name: string): LocatedFile | undefined;
}

/** The hint when a path holds another kind of image than its scheme says. */
export const PATH_HINT =
  "Write the path without a scheme, and denroot finds out what kind of image it is";

interface LocatedFile extends FilePosition {
  /** In bytes. */
  readonly size: number;
}

/**
 * Links may lead to other files of the directory, but not out of it. Throws code `not_found` when the
 * directory does not exist, `file` when it cannot be read or is not a directory.
 */
export function filesOfDirectory(path: string): ImageFiles {
  const root = resolvedPath(path);
  checkDirectory(root, path);
  const find = (name: string) => locate(root, name, shownFile(join(path, name)));
  return {
    path,
    keep: () => Promise.resolve(),
    locate: find,
    async read(name, limit) {
      const what = shownFile(join(path, name));
      const file = find(name);
      if (file === undefined) throw new DenrootError("not_found", `${what} does not exist`);
      if (file.size > limit) {
        throw new DenrootError("limit", `${what} is larger than ${limit / 1024} KiB`);
      }
      try {
        return await readFile(file.path);
      } catch (cause) {
        throw unreadable(what, cause);
      }
    },
  };
}

export function filesOfArchive(path: string, contents: ArchiveContents): ImageFiles {
  return {
    path,
    // deno-lint-ignore require-await -- turns a thrown error into a rejection
    async read(name, limit) {
      return contents.read(name, limit);
    },
    async keep(name) {
      if (contents.find(name) !== undefined) await contents.keep(name);
    },
    ...(contents.hasSpreadFiles && {
      isSpread: (name) => contents.isSpread(name),
      stream: (name, start, end, signal) => contents.stream(name, start, end, signal),
    }),
    locate(name) {
      const file = contents.find(name);
      return file && { ...contents.position(name), size: file.size };
    },
  };
}

/**
 * Finds the blob that is the file `name`. Throws code `not_found` when the file is missing, `file`
 * when it is not a regular file or has another size than the descriptor says.
 */
export function locateBlob(
  files: ImageFiles,
  name: string,
  { digest, size }: Descriptor,
): FileBlob {
  const file = files.locate(name);
  if (file === undefined) {
    throw new DenrootError("not_found", `${quotePath(files.path)} has no blob ${digest}`);
  }
  if (file.size !== size) {
    throw new DenrootError(
      "file",
      `The blob ${digest} in ${quotePath(files.path)} has ${file.size} bytes instead of ${size}`,
    );
  }
  return { type: "file", path: file.path, offset: file.offset, checkedBy: "digest" };
}

function checkDirectory(root: string, path: string): void {
  const what = `The directory ${quotePath(path)}`;
  let isDirectory: boolean;
  try {
    isDirectory = statSync(root).isDirectory();
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw unreadable(what, cause);
    throw new DenrootError("not_found", `${what} does not exist`, { cause });
  }
  if (!isDirectory) {
    throw new DenrootError("file", `${quotePath(path)} is not a directory`, { hint: PATH_HINT });
  }
}

function locate(root: string, name: string, what: string): LocatedFile | undefined {
  let path: string;
  try {
    path = realPath(join(root, name));
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    if (isMissing(cause)) return undefined;
    throw unreadable(what, cause);
  }
  requireInside(root, path, what);
  const stats = statSync(path);
  if (!stats.isFile()) throw new DenrootError("file", `${what} is not a regular file`);
  return { path, offset: 0, size: stats.size };
}

/**
 * Throws code `file` unless `path`, which has no links in it, is in the directory `root`. A link that
 * leads out of the directory could make any of the user's files a layer of the image.
 */
export function requireInside(root: string, path: string, what: string): void {
  if (path.startsWith(realPath(root).replace(/\/?$/, sep))) return;
  throw new DenrootError("file", `${what} is a link that leads out of the directory`);
}

function shownFile(path: string): string {
  return `The file ${quotePath(path)}`;
}

function unreadable(what: string, cause: unknown): DenrootError {
  return new DenrootError("file", `${what} cannot be read: ${messageOf(cause)}`, { cause });
}

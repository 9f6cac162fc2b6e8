/** The files that hold an image, in a directory or in an archive. */

import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { realPath, resolvedPath } from "../system/files/real_names.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Descriptor } from "../types/image.ts";
import type { FileBlob } from "../types/source.ts";
import type { ArchiveContents, FilePlace } from "./archive/archive_contents.ts";

/** Files by clean names relative to their root: `blobs/sha256/…`. */
export interface ImageFiles {
  /** The path that the user gave. */
  readonly path: string;

  /** A small file's bytes. Throws code `not_found`, `file`, or `limit` beyond `limit` bytes. */
  read(name: string, limit: number): Promise<Uint8Array>;

  /** Makes sure that a file, if there is one, has a place on the disk. */
  keep(name: string): Promise<void>;

  /** Where a file's bytes lie; undefined when there is none. Throws code `file` when it is unfit. */
  locate(name: string): LocatedFile | undefined;
}

/** For what is not of the kind that its scheme says. */
export const PATH_HINT =
  "Write the path alone, without a scheme: denroot finds out what lies there";

export interface LocatedFile extends FilePlace {
  readonly size: number;
}

/**
 * Links may lead from file to file, but not out of the directory. Throws code `not_found` or `file`
 * when there is none.
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
      if (file === undefined) throw new DenrootError("not_found", `${what} is not there`);
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
    // deno-lint-ignore require-await -- what it throws is to be a rejection
    async read(name, limit) {
      return contents.read(name, limit);
    },
    async keep(name) {
      if (contents.find(name) !== undefined) await contents.keep(name);
    },
    locate(name) {
      const file = contents.find(name);
      return file && { ...contents.place(name), size: file.size };
    },
  };
}

/**
 * A blob that lies in one of the files. Throws code `not_found`, and `file` when it is not fit,
 * or not as long as its descriptor says.
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
      `${quotePath(files.path)}: blob ${digest} has ${file.size} bytes instead of ${size}`,
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
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw unreadable(what, cause);
    throw new DenrootError("not_found", `${what} is not there`, { cause });
  }
  if (!isDirectory) {
    throw new DenrootError("file", `${quotePath(path)} is no directory`, { hint: PATH_HINT });
  }
}

function locate(root: string, name: string, what: string): LocatedFile | undefined {
  let path: string;
  try {
    path = realPath(join(root, name));
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    if (/^(ENOENT|ENOTDIR)$/.test((cause as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw unreadable(what, cause);
  }
  // A link out of the directory would make any file of this user's a layer of the image.
  if (!path.startsWith(realPath(root).replace(/\/?$/, sep))) {
    throw new DenrootError("file", `${what} is a link that leads out of the directory`);
  }
  const stats = statSync(path);
  if (!stats.isFile()) throw new DenrootError("file", `${what} is no regular file`);
  return { path, offset: 0, size: stats.size };
}

function shownFile(path: string): string {
  return `The file ${quotePath(path)}`;
}

function unreadable(what: string, cause: unknown): DenrootError {
  return new DenrootError("file", `${what} cannot be read: ${messageOf(cause)}`, { cause });
}

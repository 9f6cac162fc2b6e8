/** Opens the archive at a path. */

import { Buffer } from "node:buffer";
import { closeSync, createReadStream, openSync, readSync, type Stats, statSync } from "node:fs";
import { compressionOf } from "../../compress/decompress.ts";
import { abortedError, DenrootError, messageOf, systemCode, throwIfAborted } from "../../errors.ts";
import { resolvedPath } from "../../system/files/real_names.ts";
import { quotePath } from "../../text/quote_text.ts";
import { PATH_HINT } from "../image_files.ts";
import type { SourceContext } from "../source_context.ts";
import type { ArchiveContents } from "./archive_contents.ts";
import { indexArchive } from "./index_archive.ts";
import { refuseOtherFile } from "./other_files.ts";
import { isSplit, partsOf, wholeOf } from "./split_names.ts";
import { readArchiveStream } from "./read_archive_stream.ts";

/**
 * Opens the archive at `path`. An uncompressed regular file is only indexed; its blobs are read later
 * where they are. A compressed file and a pipe are read to their end, into the store.
 *
 * Throws code `not_found` when the path does not exist, `file` for a directory, `unsupported` for a
 * file that is known to be something else, and what `indexArchive` and `readArchiveStream` throw.
 */
export async function openArchive(path: string, context: SourceContext): Promise<ArchiveContents> {
  const name = `The archive ${quotePath(path)}`;
  if (isSplit(path)) return openParts(path, name, context);
  const stats = statOf(path, name);
  if (stats.isDirectory()) {
    throw new DenrootError("file", `${name} is a directory`, {
      hint: PATH_HINT,
    });
  }
  const whole = stats.isFile() ? wholeOf(path) : undefined;
  if (whole !== undefined) {
    throw new DenrootError("file", `${name} is one part of an archive`, {
      hint: `Name the archive without a number: ${quotePath(whole)}`,
    });
  }
  if (stats.isFile()) refuseOtherFile(path);
  const absolute = resolvedPath(path);
  if (stats.isFile() && !isCompressed(absolute, name)) {
    return indexArchive([absolute], name, context.blobs);
  }
  context.onProgress?.({
    type: "log",
    level: "info",
    message: `Reading the archive ${quotePath(path)} into the cache`,
  });
  return await readArchiveStream(readFile(path, context.signal), name, context);
}

/** Parts of a compressed archive would have to be read in their order, for no gain: nobody makes them. */
function openParts(path: string, name: string, { blobs }: SourceContext): ArchiveContents {
  const parts = partsOf(path).map((part) => resolvedPath(part));
  if (!isCompressed(parts[0]!, name)) return indexParts(parts, name, blobs);
  throw new DenrootError("unsupported", `${name} is compressed and in parts`, {
    hint: "Put it together first: cat FILE.0* > FILE",
  });
}

function indexParts(
  parts: readonly string[],
  name: string,
  blobs: SourceContext["blobs"],
): ArchiveContents {
  try {
    return indexArchive(parts, name, blobs);
  } catch (cause) {
    if (!(cause instanceof DenrootError)) throw cause;
    throw new DenrootError(cause.code, cause.message, {
      cause,
      hint:
        "sha256sum --check SHA256SUMS, in the directory of the parts, says which one is damaged",
    });
  }
}

function statOf(path: string, name: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    const isMissing = systemCode(cause) === "ENOENT";
    throw isMissing
      ? new DenrootError("not_found", `${name} does not exist`, { cause })
      : new DenrootError("file", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function isCompressed(path: string, name: string): boolean {
  const start = Buffer.alloc(8);
  try {
    const fd = openSync(path, "r");
    try {
      return compressionOf(start.subarray(0, readSync(fd, start, 0, start.length, 0))) !==
        undefined;
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new DenrootError("file", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const READ_SIZE = 1024 * 1024;

/** An abort does not wait for the next byte: the writer of a pipe may keep it open for ever. */
async function* readFile(path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  // Standard input may be a socket, which cannot be opened by its name.
  const isInput = /^\/(?:dev\/stdin|dev\/fd\/0|proc\/self\/fd\/0)$/.test(path);
  const stream = createReadStream(path, {
    ...(isInput && { fd: 0, autoClose: false }),
    highWaterMark: READ_SIZE,
  });
  const pieces = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      throwIfAborted(signal);
      const { done, value } = await orAborted(pieces.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    stream.destroy();
  }
}

/** A race against one promise for all pieces would keep every piece in memory. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortedError(signal));
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

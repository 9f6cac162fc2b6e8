/** The errors of reading an archive. */

import { DenrootError, messageOf } from "../../errors.ts";
import { TarError } from "../../tar/entry.ts";

/** Makes an error that names the archive; `name` is the archive's name in messages. */
export function archiveError(name: string, cause: unknown): DenrootError {
  if (cause instanceof TarError) return damaged(name, cause);
  if (!(cause instanceof DenrootError)) {
    return new DenrootError("file", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
  switch (cause.code) {
    case "layer":
      return damaged(name, cause);
    case "unsupported":
      return new DenrootError("unsupported", `${name} cannot be read: ${cause.message}`, {
        cause,
        hint: "Decompress it first, or compress it with gzip or zstd",
      });
    default:
      return cause;
  }
}

/** The error for content beyond `limit` bytes, which is the settings' `maxImageBytes`. */
export function tooLarge(name: string, limit: number): DenrootError {
  return new DenrootError("limit", `${name} has more than ${limit} bytes`, {
    hint: "Set DENROOT_MAX_IMAGE_BYTES higher if you trust the archive",
  });
}

function damaged(name: string, cause: Error): DenrootError {
  return new DenrootError("file", `${name} is damaged or not a tar archive: ${cause.message}`, {
    cause,
  });
}

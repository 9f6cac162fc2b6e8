/** Reads the headers of a tar file, and skips the contents between them. */

import { Buffer } from "node:buffer";
import { BLOCK, TarError } from "../../tar/entry.ts";
import { TarParser } from "../../tar/tar_parser.ts";
import type { BlobStore } from "../../types/source.ts";
import { ArchiveContents } from "./archive_contents.ts";
import { archiveError } from "./archive_error.ts";
import { ArchiveParts } from "./archive_parts.ts";

/**
 * Lists the files of the archive whose parts are at `paths`, so that its blobs can be read where they
 * are. `name` is the archive's name in messages.
 *
 * Throws code `file` when the file is not a tar archive, is damaged or cut short.
 */
export function indexArchive(
  paths: readonly string[],
  name: string,
  blobs: BlobStore,
): ArchiveContents {
  const contents = new ArchiveContents(name, blobs);
  try {
    walk(new ArchiveParts(paths), contents);
    return contents;
  } catch (cause) {
    throw archiveError(name, cause);
  }
}

function walk(parts: ArchiveParts, contents: ArchiveContents): void {
  using file = parts.open();
  const { size } = parts;
  const block = Buffer.alloc(BLOCK);
  let at = 0;
  const parser = new TarParser({
    // Only the header's block was pushed: the content begins with the next block.
    entry: (entry) => {
      const start = at + BLOCK;
      if (start + entry.size > size && !entry.sparse) {
        throw new TarError("The tar stream is cut short");
      }
      const place = parts.locate(start, entry.size) ?? { parts, start };
      contents.add(entry, entry.sparse ? undefined : place);
      return false;
    },
    content: () => {},
  });
  while (at < size) {
    const count = file.read(block, at);
    if (count === 0) break;
    parser.push(block.subarray(0, count));
    at += count + parser.idle;
    parser.skip();
  }
  parser.finish();
  contents.hasEndMark = parser.idle === Infinity;
}

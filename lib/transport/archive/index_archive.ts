/** Reads the headers of a tar file, and skips the contents between them. */

import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { BLOCK, TarError } from "../../tar/entry.ts";
import { TarParser } from "../../tar/tar_parser.ts";
import type { BlobStore } from "../../types/source.ts";
import { ArchiveContents } from "./archive_contents.ts";
import { archiveError } from "./archive_error.ts";

/**
 * Lists the files of the archive at `path`, so that its blobs can be read where they are. `name` is
 * the archive's name in messages.
 *
 * Throws code `file` when the file is not a tar archive, is damaged or cut short.
 */
export function indexArchive(path: string, name: string, blobs: BlobStore): ArchiveContents {
  const contents = new ArchiveContents(name, blobs);
  try {
    walk(path, contents);
    return contents;
  } catch (cause) {
    throw archiveError(name, cause);
  }
}

function walk(path: string, contents: ArchiveContents): void {
  const fd = openSync(path, "r");
  try {
    const { size } = statSync(path);
    const block = Buffer.alloc(BLOCK);
    let at = 0;
    const parser = new TarParser({
      // Only the header's block was pushed: the content begins with the next block.
      entry: (entry) => {
        const offset = at + BLOCK;
        if (offset + entry.size > size && !entry.sparse) {
          throw new TarError("The tar stream is cut short");
        }
        contents.add(entry, entry.sparse ? undefined : { path, offset });
        return false;
      },
      content: () => {},
    });
    while (at < size) {
      const count = readSync(fd, block, 0, BLOCK, at);
      if (count === 0) break;
      parser.push(block.subarray(0, count));
      at += count + parser.idle;
      parser.skip();
    }
    parser.finish();
    contents.hasEndMark = parser.idle === Infinity;
  } finally {
    closeSync(fd);
  }
}

/** Reads an archive as one stream: from a pipe, from an engine, or compressed. */

import { Buffer } from "node:buffer";
import { decompress } from "../../compress/decompress.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { TarParser, type TarVisitor } from "../../tar/tar_parser.ts";
import type { BlobStore, BlobWriter } from "../../types/source.ts";
import { throwIfAborted } from "../../errors.ts";
import type { SourceContext } from "../source_context.ts";
import { ArchiveContents } from "./archive_contents.ts";
import { archiveError, tooLarge } from "./archive_error.ts";

/** Files up to this many bytes stay in memory until they are needed: most never are. */
const SMALL = 64 * 1024;
/** How many bytes of small files may be in memory together. */
const MAX_SMALL = 16 * 1024 * 1024;

/**
 * Reads a tar stream to its end, plain or compressed with gzip or Zstandard. Files that may be blobs
 * are put into the store, and stay there when the whole stream could be read. `name` is the archive's
 * name in messages.
 *
 * Throws code `file` when the stream is not a tar archive, is damaged or cut short, `unsupported` for
 * another compression, `limit` for more bytes than the settings' `maxImageBytes`, `space` when the
 * disk is full, and what `bytes` throws.
 */
export async function readArchiveStream(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  { settings, blobs, signal }: SourceContext,
): Promise<ArchiveContents> {
  const receiver = new Receiver(new ArchiveContents(name, blobs), blobs);
  const parser = new TarParser(receiver);
  let received = 0;
  try {
    for await (const chunk of decompress(bytes)) {
      throwIfAborted(signal);
      received += chunk.length;
      if (received > settings.maxImageBytes) throw tooLarge(name, settings.maxImageBytes);
      parser.push(chunk);
      await receiver.settle();
    }
    parser.finish();
    receiver.contents.hasEndMark = parser.idle === Infinity;
    return receiver.contents;
  } catch (cause) {
    receiver.contents.takeBack();
    throwIfAborted(signal);
    throw archiveError(name, cause);
  } finally {
    receiver.close();
  }
}

/** A file whose content is arriving. */
interface Arriving {
  readonly entry: TarEntry;
  readonly writer?: BlobWriter;
  readonly pieces: Uint8Array[];
  /** How many bytes have not arrived. */
  left: number;
}

class Receiver implements TarVisitor {
  readonly contents: ArchiveContents;
  readonly #blobs: BlobStore;
  #small = 0;
  #arriving: Arriving | undefined;
  /** Files that are complete but not yet in the store. */
  #arrived: Arriving[] = [];

  constructor(contents: ArchiveContents, blobs: BlobStore) {
    this.contents = contents;
    this.#blobs = blobs;
  }

  entry(entry: TarEntry): boolean {
    if (entry.type !== "file") {
      this.contents.add(entry, undefined);
      return false;
    }
    const isSmall = entry.size <= SMALL && this.#small + entry.size <= MAX_SMALL;
    if (isSmall) this.#small += entry.size;
    this.#arriving = {
      entry: { ...entry },
      ...(!isSmall && { writer: this.#blobs.spool() }),
      pieces: [],
      left: entry.size,
    };
    if (entry.size === 0) this.#end();
    return true;
  }

  content(bytes: Uint8Array): void {
    const arriving = this.#arriving!;
    if (arriving.writer === undefined) arriving.pieces.push(Uint8Array.from(bytes));
    else arriving.writer.write(bytes);
    arriving.left -= bytes.length;
    if (arriving.left === 0) this.#end();
  }

  /** Puts the complete files into the store. */
  async settle(): Promise<void> {
    for (let next = this.#arrived[0]; next !== undefined; next = this.#arrived[0]) {
      const { entry, writer } = next;
      const position = await this.contents.store(writer!);
      writer!.close();
      this.#arrived.shift();
      this.contents.add(entry, position);
    }
  }

  /** Removes the files that are not complete. */
  close(): void {
    this.#arriving?.writer?.close();
    for (const { writer } of this.#arrived) writer!.close();
  }

  #end(): void {
    const { entry, writer, pieces } = this.#arriving!;
    if (writer === undefined) this.contents.add(entry, { bytes: Buffer.concat(pieces) });
    else this.#arrived.push(this.#arriving!);
    this.#arriving = undefined;
  }
}

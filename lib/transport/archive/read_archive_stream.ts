/** An archive that passes by once: from a pipe, a daemon, or compressed. */

import { Buffer } from "node:buffer";
import { decompress } from "../../compress/decompress.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { TarParser, type TarVisitor } from "../../tar/tar_parser.ts";
import type { BlobStore, BlobWriter } from "../../types/source.ts";
import { throwIfAborted } from "../../errors.ts";
import type { SourceContext } from "../source_context.ts";
import { ArchiveContents } from "./archive_contents.ts";
import { archiveError, tooLarge } from "./archive_error.ts";

/** Files up to this size stay in memory until somebody wants them: most are of no use. */
const SMALL = 64 * 1024;
/** How much of them together. */
const MAX_SMALL = 16 * 1024 * 1024;

/**
 * Reads a tar stream, plain or compressed with gzip or Zstandard, to its end. What may be a blob goes
 * into the store, once, and stays there when all could be read; `name` is what messages call the
 * archive.
 *
 * Throws code `file` for what is no tar, damaged or cut short, `unsupported` for another compression,
 * `limit` beyond the settings' `maxImageBytes`, `space`, and what `bytes` throws.
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

/** Where the content goes that is passing by. */
interface Arriving {
  readonly entry: TarEntry;
  readonly writer?: BlobWriter;
  readonly pieces: Uint8Array[];
  left: number;
}

class Receiver implements TarVisitor {
  readonly contents: ArchiveContents;
  readonly #blobs: BlobStore;
  #small = 0;
  #arriving: Arriving | undefined;
  /** Whole, but not yet in the store. */
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

  /** Puts into the store what has come whole. */
  async settle(): Promise<void> {
    for (let next = this.#arrived[0]; next !== undefined; next = this.#arrived[0]) {
      const { entry, writer } = next;
      const place = await this.contents.store(writer!);
      writer!.close();
      this.#arrived.shift();
      this.contents.add(entry, place);
    }
  }

  /** Removes what did not come whole. */
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

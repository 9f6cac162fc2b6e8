/** Opens the stored bytes of a blob where they are: on this machine, in the cache, or at the source. */

import { Buffer } from "node:buffer";
import fs from "node:fs/promises";
import { DenrootError, messageOf, throwIfAborted } from "../errors.ts";
import { quotePath } from "../text/quote_text.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import type { LateStore } from "../store/open_cache.ts";
import type { Descriptor } from "../types/image.ts";
import type { FileBlob, ImageSource, OpenBlob } from "../types/source.ts";

const READ_SIZE = 1024 * 1024;

/** What of the cache a copy uses. One that can `ingest` keeps the blobs that come over a network. */
export type CopyCache = Omit<LateStore, keyof Disposable> & Partial<Pick<BlobCache, "ingest">>;

/** A blob to copy. */
export interface CopyBlob {
  readonly descriptor: Descriptor;
  /** The file that has its bytes, where the copy made them itself. */
  readonly file?: string;
}

export interface OpenBlobOptions {
  readonly source: ImageSource;
  readonly cache: Pick<CopyCache, "find" | "ingest">;
  /** Gets the position of the transfer: how many bytes went through so far. */
  readonly onBytes: (position: number) => void;
  readonly signal: AbortSignal;
}

/** An open blob: the bytes are not verified here, because the destination does that. */
export interface OpenableBlob extends Disposable {
  readonly origin: "local" | "cache" | "source";
  readonly open: OpenBlob;
  /** Keeps in the cache what went through, once the destination has found it right. */
  commit(): Promise<void>;
}

export function openStoredBlob(blob: CopyBlob, options: OpenBlobOptions): OpenableBlob {
  const { descriptor, file } = blob;
  const { source, cache } = options;
  const place = file === undefined ? source.place?.(descriptor) : { path: file, offset: 0 };
  if (place !== undefined) return onThisMachine("local", fileOf(place), descriptor, options);
  const cached = cache.find(descriptor);
  if (cached !== undefined) {
    return onThisMachine("cache", { path: cached, offset: 0 }, descriptor, options);
  }
  return fromSource(descriptor, options);
}

type Stretch = Pick<FileBlob, "path" | "offset">;

function fileOf(place: Stretch | { readonly type: string }): Stretch {
  if ("path" in place) return place;
  throw new TypeError("An unpacked layer has no stored bytes");
}

function onThisMachine(
  origin: "local" | "cache",
  stretch: Stretch,
  { size }: Descriptor,
  { onBytes, signal }: OpenBlobOptions,
): OpenableBlob {
  return {
    origin,
    open: (start) => counted(readFile(stretch, start, size, signal), start, onBytes),
    commit: () => Promise.resolve(),
    [Symbol.dispose]: () => {},
  };
}

function fromSource(descriptor: Descriptor, options: OpenBlobOptions): OpenableBlob {
  const { source, cache, onBytes, signal } = options;
  if (source.blob === undefined) {
    throw new DenrootError("not_found", `Blob ${descriptor.digest} is not there`);
  }
  const ingest = cache.ingest?.(descriptor);
  let end = 0;
  async function* open(start: number): AsyncGenerator<Uint8Array> {
    const range = start === 0 ? undefined : { start, end: descriptor.size };
    let position = start;
    for await (const chunk of source.blob!(descriptor, range, signal)) {
      ingest?.write(chunk, position);
      position += chunk.length;
      end = position;
      yield chunk;
    }
  }
  return {
    origin: "source",
    open: (start) => counted(open(start), start, onBytes),
    async commit() {
      if (end === descriptor.size) await ingest?.commit();
    },
    [Symbol.dispose]: () => ingest?.close(),
  };
}

/** Tells `onBytes` the position behind each chunk that was taken. */
export async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  start: number,
  onBytes: (position: number) => void,
): AsyncGenerator<Uint8Array> {
  let position = start;
  for await (const chunk of chunks) {
    yield chunk;
    position += chunk.length;
    onBytes(position);
  }
}

/** Each chunk is memory of its own: a socket may still hold it when the next one is read. */
async function* readFile(
  { path, offset }: Stretch,
  start: number,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let file: fs.FileHandle | undefined;
  try {
    file = await fs.open(path, "r");
    for (let at = start; at < size;) {
      throwIfAborted(signal);
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, size - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    throw new DenrootError("file", `${quotePath(path)} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await file?.close();
  }
}

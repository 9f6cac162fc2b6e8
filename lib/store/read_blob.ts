/** Reads a small blob, such as a configuration: all of its bytes at once, verified. */

import fs from "node:fs";
import { DenrootError, messageOf } from "../errors.ts";
import { verifyDigest } from "../oci/digest.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Descriptor } from "../types/image.ts";
import type { BlobStore, FileBlob, ImageSource } from "../types/source.ts";

interface ReadBlobOptions {
  readonly source: ImageSource;
  /** Where the blob may lie; nothing is put there. */
  readonly cache: BlobStore;
  /** What messages call the blob. */
  readonly name: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Throws code `limit` when the blob is larger than `maxBytes`, `digest` when it is damaged. */
export async function readBlob(
  descriptor: Descriptor,
  { source, cache, name, maxBytes, signal }: ReadBlobOptions,
): Promise<Uint8Array> {
  const { digest, size } = descriptor;
  if (size > maxBytes) {
    throw new DenrootError("limit", `${name} has ${size} bytes, more than ${maxBytes}`);
  }
  const cached = readCached(descriptor, cache, name);
  if (cached !== undefined) return cached;
  const place = source.place?.(descriptor);
  if (place !== undefined && place.type !== "file") throw new TypeError(`${name} is no file`);
  if (place === undefined && source.blob === undefined) {
    throw new DenrootError("not_found", `${name} (${digest}) is not there`);
  }
  const bytes = place === undefined
    ? await receive(source.blob!(descriptor, undefined, signal), size)
    : readStretch(place, size);
  verifyDigest(bytes, digest, name);
  return bytes;
}

/** Reads `size` bytes of a file, or fewer where the file ends. Throws code `file`. */
export function readStretch(
  { path, offset }: Pick<FileBlob, "path" | "offset">,
  size: number,
): Uint8Array {
  try {
    return readAt(path, offset, size);
  } catch (cause) {
    throw new DenrootError("file", `${quotePath(path)} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function readAt(path: string, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const fd = fs.openSync(path, "r");
  try {
    let at = 0;
    for (let count = -1; at < size && count !== 0; at += count) {
      count = fs.readSync(fd, bytes, at, size - at, offset + at);
    }
    return bytes.subarray(0, at);
  } finally {
    fs.closeSync(fd);
  }
}

/** Ignores a copy that cannot be read or is damaged: an import replaces it. */
function readCached(
  descriptor: Descriptor,
  cache: BlobStore,
  name: string,
): Uint8Array | undefined {
  const path = cache.find(descriptor);
  if (path === undefined) return undefined;
  try {
    const bytes = readStretch({ path, offset: 0 }, descriptor.size);
    verifyDigest(bytes, descriptor.digest, name);
    return bytes;
  } catch {
    return undefined;
  }
}

/** The transport ensures that `chunks` have `size` bytes in all. */
async function receive(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.subarray(0, at);
}

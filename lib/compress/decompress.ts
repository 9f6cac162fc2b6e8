/** Decompression. The bytes themselves tell the format; their media type is not believed. */

import { Buffer } from "node:buffer";
import { constants, createGunzip } from "node:zlib";
import { DenrootError, messageOf } from "../errors.ts";
import { decompressZstd } from "./decompress_zstd.ts";
import { type ThroughOptions, throughZlib } from "./through_zlib.ts";

const OUTPUT_CHUNK = 256 * 1024;

type Compression = "gzip" | "zstd" | "bzip2" | "xz" | "lz4";

const MAGICS: readonly [name: Compression, magic: readonly number[]][] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
];
const LONGEST_MAGIC = 5;

/** The compression of data that begins with `start`, which has five bytes if the data has. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  return isSkippableFrame(start)
    ? "zstd"
    : MAGICS.find(([, magic]) => magic.every((byte, at) => start[at] === byte))?.[0];
}

/**
 * Yields the content of gzip or Zstandard data, and other bytes as they are. A piece of `stored`
 * may be overwritten once the next is asked for. Throws code `layer` for damaged or truncated input,
 * and `unsupported` for another compression.
 */
export async function* decompress(
  stored: AsyncIterable<Uint8Array>,
  options: ThroughOptions = {},
): AsyncIterable<Uint8Array> {
  const input = stored[Symbol.asyncIterator]();
  try {
    const start = await readStart(input);
    const all = prepend(start, input);
    const compression = compressionOf(start);
    if (compression === undefined) yield* all;
    else if (compression === "gzip") yield* gunzip(all, options);
    else if (compression === "zstd") yield* decompressZstd(all, options);
    else throw unread(compression);
  } finally {
    // Not awaited: it may wait for bytes that never come.
    void input.return?.().catch(() => {});
  }
}

/** Joins pieces until the format can be told: the first piece from a network may be one byte. */
async function readStart(input: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array();
  while (start.length < LONGEST_MAGIC) {
    const next = await input.next();
    if (next.done) break;
    start = Buffer.concat([start, next.value]);
  }
  return start;
}

async function* gunzip(
  stored: AsyncIterable<Uint8Array>,
  options: ThroughOptions,
): AsyncIterable<Uint8Array> {
  try {
    const transform = createGunzip({ chunkSize: OUTPUT_CHUNK });
    yield* throughZlib(stored, transform, constants.Z_FINISH, options);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    throw new DenrootError("layer", `The gzip data is damaged: ${messageOf(cause)}`, { cause });
  }
}

/** A frame that decoders skip (RFC 8878, 3.1.2). */
function isSkippableFrame(bytes: Uint8Array): boolean {
  return (bytes[0]! & 0xf0) === 0x50 && bytes[1] === 0x2a && bytes[2] === 0x4d && bytes[3] === 0x18;
}

async function* prepend(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  if (first.length > 0) yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function unread(compression: Compression): DenrootError {
  return new DenrootError(
    "unsupported",
    `The data is compressed with ${compression}, which denroot does not read`,
    {
      hint: "Push the image again with gzip or zstd layers, or import a copy that has them: " +
        "skopeo copy --dest-compress-format gzip SOURCE oci:DIRECTORY:TAG",
    },
  );
}

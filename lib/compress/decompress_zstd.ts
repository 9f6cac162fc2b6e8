/**
 * Zstandard with any number of frames (RFC 8878). This file reads where frames and blocks end,
 * because the runtimes' decoders stop at the second frame or accept a truncated one.
 */

import { Buffer } from "node:buffer";
import { constants, createZstdDecompress, zstdDecompressSync } from "node:zlib";
import { DenrootError, messageOf, systemCode } from "../errors.ts";
import { type ThroughOptions, throughZlib } from "./through_zlib.ts";

const MAGIC = 0xfd2fb528;
/** Up to so many stored bytes a frame is decoded in one call: some images have a frame a file. */
const SMALL_FRAME = 1024 * 1024;
/** The most that one call may decode to. A larger frame is decoded piece by piece. */
const SMALL_CONTENT = 8 * 1024 * 1024;
const OUTPUT_CHUNK = 1024 * 1024;
/** Data that was compressed with `--long=31` needs it. */
const PARAMS = { [constants.ZSTD_d_windowLogMax]: 31 };

/** Throws code `layer` for damaged or truncated data. */
export async function* decompressZstd(
  stored: AsyncIterable<Uint8Array>,
  options: ThroughOptions,
): AsyncIterable<Uint8Array> {
  const input = new ByteReader(stored);
  for (;;) {
    const magic = await input.readOrEnd(4);
    if (magic === undefined) return;
    const number = magic.readUInt32LE();
    if ((number & 0xfffffff0) >>> 0 === 0x184d2a50) {
      await input.skip((await input.read(4)).readUInt32LE());
    } else if (number === MAGIC) {
      yield* decodeFrame(input, magic, options);
    } else {
      throw damaged("a frame is followed by something else");
    }
  }
}

async function* decodeFrame(
  input: ByteReader,
  magic: Buffer,
  options: ThroughOptions,
): AsyncIterable<Uint8Array> {
  const { bytes, contentSize, checksum } = await readFrameHeader(input);
  const blocks = readBlocks(input, checksum);
  const start = [magic, bytes];
  let size = 0;
  let ended = contentSize !== undefined && contentSize > SMALL_CONTENT ? false : undefined;
  while (ended === undefined) {
    const next = await blocks.next();
    if (next.done) ended = true;
    else {
      start.push(next.value);
      size += next.value.length;
      if (size > SMALL_FRAME) ended = false;
    }
  }
  try {
    const small = ended ? decodeSmall(Buffer.concat(start)) : undefined;
    if (small !== undefined) {
      yield small;
      return;
    }
    const transform = createZstdDecompress({ chunkSize: OUTPUT_CHUNK, params: PARAMS });
    yield* throughZlib(concat(start, blocks), transform, constants.ZSTD_e_end, options);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    throw damaged(messageOf(cause), cause);
  }
}

/** Undefined when the content turns out to be too large. */
function decodeSmall(frame: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: SMALL_CONTENT, params: PARAMS });
  } catch (error) {
    if (systemCode(error) === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

interface FrameHeader {
  readonly bytes: Buffer;
  readonly contentSize: number | undefined;
  readonly checksum: boolean;
}

/** RFC 8878, 3.1.1.1. */
async function readFrameHeader(input: ByteReader): Promise<FrameHeader> {
  const descriptor = await input.read(1);
  const flags = descriptor[0]!;
  const single = (flags & 0x20) !== 0;
  const windowBytes = single ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const rest = await input.read(windowBytes + dictionaryBytes + sizeBytes);
  const at = windowBytes + dictionaryBytes;
  return {
    bytes: Buffer.concat([descriptor, rest]),
    contentSize: contentSize(rest.subarray(at), sizeBytes),
    checksum: (flags & 4) !== 0,
  };
}

function contentSize(field: Buffer, bytes: number): number | undefined {
  if (bytes === 0) return undefined;
  if (bytes === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, bytes) + (bytes === 2 ? 256 : 0);
}

/** Yields the blocks, and the checksum if there is one (RFC 8878, 3.1.1.2). */
async function* readBlocks(input: ByteReader, checksum: boolean): AsyncGenerator<Buffer, void> {
  for (let last = false; !last;) {
    const header = await input.read(3);
    const value = header.readUIntLE(0, 3);
    last = (value & 1) !== 0;
    const type = (value >> 1) & 3;
    if (type === 3) throw damaged("a block has a reserved type");
    yield header;
    // A run-length block stores its one byte.
    yield await input.read(type === 1 ? 1 : value >> 3);
  }
  if (checksum) yield await input.read(4);
}

async function* concat(
  start: readonly Buffer[],
  rest: AsyncIterable<Buffer>,
): AsyncIterable<Buffer> {
  yield* start;
  yield* rest;
}

/** Reads exact numbers of bytes from chunks of any size. */
class ByteReader {
  readonly #input: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#input = input[Symbol.asyncIterator]();
  }

  async read(count: number): Promise<Buffer> {
    const bytes = await this.readOrEnd(count);
    if (bytes === undefined) throw damaged("it is cut short");
    return bytes;
  }

  /** Undefined at the very end. */
  async readOrEnd(count: number): Promise<Buffer | undefined> {
    if (this.#chunk.length >= count) return this.#take(count);
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#chunk.length === 0 && !(await this.#more())) {
        if (missing === count) return undefined;
        throw damaged("it is cut short");
      }
      const part = this.#take(Math.min(missing, this.#chunk.length));
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async skip(count: number): Promise<void> {
    while (count > 0) {
      if (this.#chunk.length === 0 && !(await this.#more())) throw damaged("it is cut short");
      count -= this.#take(Math.min(count, this.#chunk.length)).length;
    }
  }

  #take(count: number): Buffer {
    const part = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    return part;
  }

  async #more(): Promise<boolean> {
    const next = await this.#input.next();
    if (next.done) return false;
    // A copy: blocks are kept while the input overwrites its chunk.
    this.#chunk = Buffer.from(next.value);
    return true;
  }
}

function damaged(why: string, cause?: unknown): DenrootError {
  return new DenrootError("layer", `The zstd data is damaged: ${why}`, { cause });
}

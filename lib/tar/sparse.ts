/** Sparse files: the old GNU map, and PAX 0.0, 0.1 and 1.0 (GNU tar manual, "Sparse Formats"). */

import { Buffer } from "node:buffer";
import { BLOCK, TarError } from "./entry.ts";
import { parseNumber } from "./header.ts";
import { integer, name, type PaxRecords } from "./pax.ts";

/** A piece of data between two holes; in bytes. */
interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

export interface SparseFile {
  /** Size in bytes, holes included. */
  readonly size: number;
  readonly segments: SparseSegment[];
  /** The file's name, when the header has only a substitute. */
  readonly path?: string | undefined;
  /** The map comes before the data (PAX 1.0) and has not been read yet. */
  readonly mapInData: boolean;
}

const MAX_SEGMENTS = 1_000_000;
/** The length of a line in a PAX 1.0 map: the digits of 2^53, with some zeros before them. */
const MAX_LINE = 32;
const OLD_ENTRIES = { header: 4, extension: 21 } as const;

/** Reads the sparse records of a PAX header; undefined when there are none. */
export function sparseFromPax(records: PaxRecords, storedSize: number): SparseFile | undefined {
  if (records.sparse === undefined) return undefined;
  const last = new Map(records.sparse);
  const path = name("GNU.sparse.name", last.get("name") ?? "");
  if (last.get("major") === "1") {
    const size = integer("GNU.sparse.realsize", last.get("realsize") ?? "");
    return { size, segments: [], path, mapInData: true };
  }
  const size = integer("GNU.sparse.size", last.get("size") ?? last.get("realsize") ?? "");
  const numbers = last.has("map")
    ? last.get("map")!.split(",").filter((part) => part !== "")
    : records.sparse.filter(([key]) => key === "offset" || key === "numbytes").map(([, v]) => v);
  const segments = toSegments(numbers.map((part) => integer("GNU.sparse.map", part)));
  checkSegments(segments, size, storedSize);
  return { size, segments, path, mapInData: false };
}

/** Reads the map in an old GNU header. `more` says that extension blocks follow. */
export function sparseFromHeader(block: Buffer, at: number): { file: SparseFile; more: boolean } {
  const size = parseNumber(block, at + 483, 12);
  const segments = readOldEntries(block, at + 386, OLD_ENTRIES.header);
  return { file: { size, segments, mapInData: false }, more: block[at + 482] !== 0 };
}

/** Reads one extension block of the old GNU map; gives whether another follows. */
export function sparseExtension(block: Buffer, at: number, segments: SparseSegment[]): boolean {
  segments.push(...readOldEntries(block, at, OLD_ENTRIES.extension));
  if (segments.length > MAX_SEGMENTS) throw tooManySegments();
  return block[at + 504] !== 0;
}

/**
 * Collects a PAX 1.0 map: decimal numbers, one on each line. The first is the count of segments; an
 * offset and a length for each segment follow. The map fills whole blocks.
 */
export class SparseMap {
  readonly #blocks: Buffer[] = [];
  #linesLeft = 0;
  #maxBlocks = 0;

  /** Takes the next block; gives the segments when all are there. Throws {@link TarError}. */
  add(block: Buffer): SparseSegment[] | undefined {
    if (this.#blocks.length === 0) this.#begin(block);
    this.#blocks.push(block);
    if (this.#blocks.length > this.#maxBlocks) throw new TarError("A sparse map is too long");
    for (const byte of block) if (byte === 0x0a) this.#linesLeft--;
    return this.#linesLeft > 0 ? undefined : parseSparseMap(Buffer.concat(this.#blocks));
  }

  #begin(block: Buffer): void {
    const count = integer("sparse map", block.toString("latin1", 0, block.indexOf(0x0a)));
    if (count > MAX_SEGMENTS) throw tooManySegments();
    this.#linesLeft = 1 + 2 * count;
    this.#maxBlocks = Math.floor((BLOCK + this.#linesLeft * MAX_LINE) / BLOCK);
  }
}

function parseSparseMap(data: Buffer): SparseSegment[] {
  const lines = data.toString("latin1").split("\n");
  const count = integer("sparse map", lines[0]!);
  return toSegments(lines.slice(1, 1 + 2 * count).map((line) => integer("sparse map", line)));
}

/**
 * Throws {@link TarError} unless the segments are in order, inside the file, and fill the stored
 * data.
 */
export function checkSegments(
  segments: readonly SparseSegment[],
  size: number,
  stored: number,
): void {
  let end = 0;
  let total = 0;
  for (const segment of segments) {
    if (segment.length < 0) throw new TarError("A sparse map has a segment of negative length");
    if (segment.offset < end) throw new TarError("A sparse map's segments overlap");
    end = segment.offset + segment.length;
    total += segment.length;
  }
  if (end > size) throw new TarError("A sparse map reaches beyond its file");
  if (total > stored) throw new TarError("A sparse map needs more data than the archive has");
  if (total < stored) throw new TarError("A sparse map needs less data than the archive has");
}

function readOldEntries(block: Buffer, start: number, count: number): SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    segments.push({ offset: parseNumber(block, at, 12), length: parseNumber(block, at + 12, 12) });
  }
  return segments;
}

function toSegments(numbers: readonly number[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw new TarError("A sparse map has an odd count of numbers");
  if (numbers.length / 2 > MAX_SEGMENTS) throw tooManySegments();
  const segments: SparseSegment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    segments.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  }
  return segments;
}

function tooManySegments(): TarError {
  return new TarError(`A sparse map has more than ${MAX_SEGMENTS} segments`);
}

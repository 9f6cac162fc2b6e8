/** One 512-byte tar header: fields, numbers, checksum (POSIX.1-1988 ustar, GNU). */

import { Buffer } from "node:buffer";
import { TarError } from "./entry.ts";

export interface RawHeader {
  /** The type flag's character. */
  flag: string;
  path: string;
  linkPath: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  deviceMajor: number;
  deviceMinor: number;
}

/** Offset and length of each field (POSIX.1-1988). */
const FIELD = {
  path: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  flag: [156, 1],
  linkPath: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;

const USTAR_MAGIC = "ustar\0";
/** Linux and squashfs have 12 and 20 bits for them. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xfffff;

/** Reads the header at `at`, or gives undefined for a block of zeros. Throws {@link TarError}. */
export function parseHeader(block: Buffer, at: number): RawHeader | undefined {
  const sum = sumOfBytes(block, at);
  if (sum === 0) return undefined;
  checkSum(block, at, sum);
  const ustar = block.toString("latin1", at + 257, at + 263) === USTAR_MAGIC;
  const name = text(block, at, FIELD.path);
  // GNU's magic puts times and a sparse map where POSIX has the prefix.
  const prefix = ustar && block[at + 345] !== 0 ? text(block, at, FIELD.prefix) : "";
  const flag = String.fromCharCode(block[at + 156]!);
  // Old writers leave junk in these fields when the entry is not a device.
  const device = flag === "3" || flag === "4";
  return {
    flag,
    path: prefix === "" ? name : `${prefix}/${name}`,
    linkPath: text(block, at, FIELD.linkPath),
    mode: number(block, at, FIELD.mode) & 0o7777,
    uid: number(block, at, FIELD.uid),
    gid: number(block, at, FIELD.gid),
    size: number(block, at, FIELD.size),
    // The image gets the nearest time that it can hold, however impossible this one is.
    mtime: parseRounded(block, at + FIELD.mtime[0], FIELD.mtime[1]),
    deviceMajor: device ? deviceNumber(block, at, FIELD.deviceMajor, MAX_MAJOR) : 0,
    deviceMinor: device ? deviceNumber(block, at, FIELD.deviceMinor, MAX_MINOR) : 0,
  };
}

/** Reads octal text, or GNU's base-256 if the first bit is set. Throws {@link TarError}. */
export function parseNumber(block: Uint8Array, start: number, length: number): number {
  const value = parseRounded(block, start, length);
  if (!Number.isSafeInteger(value)) throw new TarError("A tar header has a number beyond 2^53");
  return value;
}

/** Numbers beyond 2^53 are rounded. */
function parseRounded(block: Uint8Array, start: number, length: number): number {
  const first = block[start]!;
  if (first & 0x80) return parseBase256(block, start, length);
  let value = 0;
  let seen = false;
  for (let i = start; i < start + length; i++) {
    const byte = block[i]!;
    if (byte >= 0x30 && byte <= 0x37) {
      value = value * 8 + (byte - 0x30);
      seen = true;
    } else if (byte === 0 || byte === 0x20) {
      if (seen) break;
    } else {
      throw new TarError(`A tar header has a number with the byte 0x${byte.toString(16)} in it`);
    }
  }
  return value;
}

function parseBase256(block: Uint8Array, start: number, length: number): number {
  const negative = (block[start]! & 0x40) !== 0;
  let value = negative ? (block[start]! & 0x7f) - 0x80 : block[start]! & 0x3f;
  for (let i = start + 1; i < start + length; i++) value = value * 256 + block[i]!;
  return value;
}

function deviceNumber(
  block: Uint8Array,
  at: number,
  field: readonly [number, number],
  max: number,
): number {
  const value = number(block, at, field);
  if (value < 0 || value > max) {
    throw new TarError(`A tar header has the impossible device number ${value}`);
  }
  return value;
}

function number(block: Uint8Array, at: number, [offset, length]: readonly [number, number]) {
  return parseNumber(block, at + offset, length);
}

function text(block: Buffer, at: number, [offset, length]: readonly [number, number]): string {
  const start = at + offset;
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  return block.toString("latin1", start, end);
}

function sumOfBytes(block: Uint8Array, at: number): number {
  let sum = 0;
  for (let i = at; i < at + 512; i += 4) {
    sum += block[i]! + block[i + 1]! + block[i + 2]! + block[i + 3]!;
  }
  return sum;
}

/** The checksum counts its own field as spaces. Old writers summed up signed bytes. */
function checkSum(block: Uint8Array, at: number, sum: number): void {
  const stored = parseNumber(block, at + FIELD.checksum[0], FIELD.checksum[1]);
  let field = 0;
  for (let i = at + 148; i < at + 156; i++) field += block[i]!;
  const unsigned = sum - field + 8 * 0x20;
  if (stored === unsigned) return;
  let high = 0;
  for (let i = at; i < at + 512; i++) {
    if ((i < at + 148 || i >= at + 156) && block[i]! > 127) high++;
  }
  if (stored !== unsigned - 256 * high) {
    throw new TarError("A tar header's checksum is wrong");
  }
}

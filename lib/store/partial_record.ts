/**
 * Which bytes of an unfinished blob are there: a record behind the place of its last byte, in the
 * same file. It has the stretches that arrived, each as its start and its length in bytes, two
 * unsigned 64-bit numbers in little-endian order.
 *
 * A record that is wrong, because the machine lost power, costs a transfer and no more: the whole
 * blob is held against its digest.
 */

import { Buffer } from "node:buffer";

/** Bytes of a blob from `start`, as many as `received`. */
export interface Stretch {
  readonly start: number;
  readonly received: number;
}

const ENTRY_SIZE = 16;

export function encodeRecord(stretches: readonly Stretch[]): Uint8Array {
  const bytes = Buffer.alloc(stretches.length * ENTRY_SIZE);
  for (const [index, { start, received }] of stretches.entries()) {
    bytes.writeBigUInt64LE(BigInt(start), index * ENTRY_SIZE);
    bytes.writeBigUInt64LE(BigInt(received), index * ENTRY_SIZE + 8);
  }
  return bytes;
}

/** Joins what adjoins. Ignores what cannot be part of a blob of `size` bytes. */
export function decodeRecord(record: Uint8Array, size: number): Stretch[] {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const stretches: Stretch[] = [];
  for (let at = 0; at + ENTRY_SIZE <= bytes.length; at += ENTRY_SIZE) {
    const start = Number(bytes.readBigUInt64LE(at));
    const received = Number(bytes.readBigUInt64LE(at + 8));
    if (received === 0 || start + received > size) continue;
    const last = stretches.at(-1);
    if (last === undefined || last.start + last.received !== start) {
      stretches.push({ start, received });
    } else stretches[stretches.length - 1] = { ...last, received: last.received + received };
  }
  return stretches;
}

/** How many bytes from `start` on are there, without a gap. */
export function bytesFrom(start: number, stretches: readonly Stretch[]): number {
  const holder = stretches.find((one) => one.start <= start && start < one.start + one.received);
  return holder === undefined ? 0 : holder.start + holder.received - start;
}

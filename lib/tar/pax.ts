/** Records of PAX extended headers (POSIX.1-2001, pax): `LENGTH KEY=VALUE\n`; values are bytes. */

import { Buffer } from "node:buffer";
import { TarError } from "./entry.ts";

const XATTR_PREFIX = "SCHILY.xattr.";
const MAX_XATTR_NAME = 255;
const MAX_XATTR_VALUE = 64 * 1024;

/** What an entry's PAX header overrides. Times are whole seconds, rounded down. */
export interface PaxRecords {
  path?: string | undefined;
  linkPath?: string | undefined;
  size?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  mtime?: number | undefined;
  xattrs?: Map<string, Uint8Array>;
  /** `GNU.sparse.*` records in their order. */
  sparse?: [key: string, value: string][];
}

/** Throws {@link TarError} on records that break the format. */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: PaxRecords = {};
  let at = 0;
  while (at < buffer.length && buffer[at] !== 0) {
    const space = buffer.indexOf(0x20, at);
    const length = space < 0 ? NaN : decimal(buffer.toString("latin1", at, space));
    const end = at + length;
    const equals = buffer.indexOf(0x3d, space);
    if (!(end <= buffer.length) || equals < 0 || equals >= end || buffer[end - 1] !== 0x0a) {
      throw new TarError("A PAX header has a malformed record");
    }
    const key = buffer.toString("latin1", space + 1, equals);
    assign(records, key, buffer.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

function assign(records: PaxRecords, key: string, value: Buffer): void {
  if (key.startsWith(XATTR_PREFIX)) {
    records.xattrs ??= new Map();
    records.xattrs.set(xattrName(key.slice(XATTR_PREFIX.length), value), Uint8Array.from(value));
    return;
  }
  // An empty value undoes an earlier record.
  const text = value.toString("latin1");
  switch (key) {
    case "path":
      records.path = name(key, text);
      break;
    case "linkpath":
      records.linkPath = name(key, text);
      break;
    case "size":
      records.size = text === "" ? undefined : integer(key, text);
      break;
    case "uid":
      records.uid = text === "" ? undefined : integer(key, text);
      break;
    case "gid":
      records.gid = text === "" ? undefined : integer(key, text);
      break;
    case "mtime":
      records.mtime = text === "" ? undefined : seconds(text);
      break;
    default:
      if (key.startsWith("GNU.sparse.")) (records.sparse ??= []).push([key.slice(11), text]);
  }
}

/** Refuses an attribute that no file can have (xattr(7)): unpacking the image would fail. */
function xattrName(name: string, value: Buffer): string {
  const inNamespace = name.slice(name.indexOf(".") + 1);
  if (inNamespace === "" || name.length > MAX_XATTR_NAME || name.includes("\0")) {
    throw new TarError("A PAX header has an extended attribute with an impossible name");
  }
  if (value.length >= MAX_XATTR_VALUE) {
    throw new TarError(`A PAX header has an extended attribute of ${value.length} bytes`);
  }
  return name;
}

export function name(key: string, text: string): string | undefined {
  if (text.includes("\0")) throw new TarError(`A PAX ${key} has a zero byte in it`);
  return text === "" ? undefined : text;
}

export function integer(key: string, text: string): number {
  const value = decimal(text);
  if (!Number.isSafeInteger(value)) throw new TarError(`A PAX ${key} is not a number`);
  return value;
}

function seconds(text: string): number {
  const match = /^(-?\d+)(\.\d*)?$/.exec(text);
  if (match === null) throw new TarError("A PAX mtime is not a time");
  // A time beyond 2^53 is rounded: the image gets the nearest time that it can hold.
  // The fraction is not parsed: as a double, .999999999 would round up.
  const whole = Number(match[1]);
  const fraction = /[1-9]/.test(match[2] ?? "");
  return fraction && text.startsWith("-") ? whole - 1 : whole;
}

function decimal(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : NaN;
}

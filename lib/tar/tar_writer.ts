/**
 * Writes a tar stream in the one form that every mksquashfs reads correctly: ustar magic without a
 * prefix, empty owner names, GNU long names, PAX for extended attributes only.
 */

import { Buffer } from "node:buffer";
import { BLOCK, type EntryType, padding, ZEROS } from "./entry.ts";
import { isImageXattr } from "./image_xattrs.ts";
import { squashfsTime } from "./squashfs_time.ts";

/** Must take all of `bytes` before it returns: the buffer is used again. */
type ByteSink = (bytes: Uint8Array) => void;

/** The values of a header. */
export interface EntryHeader {
  readonly type: EntryType;
  /** Cleaned: relative, without `.`, `..` or doubled slashes; no slash at the end. */
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly mtime: number;
  readonly size: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | undefined;
}

const FLAGS: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const BUFFER_SIZE = 512 * 1024;
/** Content of at least this length goes to the sink without a copy. */
const DIRECT = 64 * 1024;

export class TarWriter {
  readonly #sink: ByteSink;
  readonly #buffer = Buffer.alloc(BUFFER_SIZE);
  #used = 0;
  #contentLeft = 0;
  #contentPadding = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Begins an entry; `size` bytes of {@link content} must follow for a file. */
  entry(header: EntryHeader): void {
    if (this.#contentLeft > 0) throw new TypeError("The last entry's content is incomplete");
    if (header.xattrs !== undefined) this.#xattrs(header.xattrs);
    const path = header.type === "directory" ? `${header.path}/` : header.path;
    if (header.linkPath.length > 100) this.#longName("K", header.linkPath);
    if (path.length > 100) this.#longName("L", path);
    const size = header.type === "file" ? header.size : 0;
    this.#header(FLAGS[header.type], path, size, header);
    this.#contentLeft = size;
    this.#contentPadding = padding(size);
  }

  /** Writes the next piece of the current file. */
  content(bytes: Uint8Array): void {
    if (bytes.length > this.#contentLeft) throw new TypeError("More content than announced");
    this.#contentLeft -= bytes.length;
    this.#write(bytes);
    if (this.#contentLeft === 0) this.#write(ZEROS.subarray(0, this.#contentPadding));
  }

  /** Writes the end of the archive: exactly two blocks of zeros. */
  end(): void {
    this.#write(ZEROS.subarray(0, 2 * BLOCK));
    this.#flush();
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length >= DIRECT) {
      this.#flush();
      this.#sink(bytes);
      return;
    }
    if (this.#used + bytes.length > BUFFER_SIZE) this.#flush();
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #flush(): void {
    if (this.#used > 0) this.#sink(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #header(flag: string, path: string, size: number, header: EntryHeader): void {
    if (this.#used + BLOCK > BUFFER_SIZE) this.#flush();
    fillHeader(this.#buffer, this.#used, { flag, path, size, header });
    this.#used += BLOCK;
  }

  #longName(flag: "L" | "K", name: string): void {
    this.#metadata(flag, "././@LongLink", Buffer.from(`${name}\0`, "latin1"));
  }

  #xattrs(xattrs: ReadonlyMap<string, Uint8Array>): void {
    const records = [...xattrs]
      .filter(([name]) => isImageXattr(name))
      .map(([name, value]) => paxRecord(`SCHILY.xattr.${name}`, value));
    if (records.length > 0) this.#metadata("x", "pax", Buffer.concat(records));
  }

  #metadata(flag: string, path: string, bytes: Buffer): void {
    this.#header(flag, path, bytes.length, METADATA);
    this.#write(bytes);
    this.#write(ZEROS.subarray(0, padding(bytes.length)));
  }
}

const METADATA: EntryHeader = {
  type: "file",
  path: "",
  linkPath: "",
  mode: 0o644,
  mtime: 0,
  size: 0,
  deviceMajor: 0,
  deviceMinor: 0,
};

/** The header of a regular file with an ASCII name: one block, or three for a long name. */
export function fileHeader(path: string, size: number, mode: number): Uint8Array {
  const header = { ...METADATA, mode };
  const block = (flag: string, name: string, size: number) => {
    const bytes = Buffer.alloc(BLOCK);
    fillHeader(bytes, 0, { flag, path: name, size, header });
    return bytes;
  };
  if (path.length <= 100) return block(FLAGS.file, path, size);
  const name = Buffer.alloc(BLOCK * Math.ceil((path.length + 1) / BLOCK));
  name.write(path, "latin1");
  return Buffer.concat([
    block("L", "././@LongLink", path.length + 1),
    name,
    block(FLAGS.file, path, size),
  ]);
}

interface HeaderFields {
  readonly flag: string;
  readonly path: string;
  readonly size: number;
  readonly header: EntryHeader;
}

function fillHeader(
  block: Buffer,
  at: number,
  { flag, path, size, header }: HeaderFields,
): void {
  block.fill(0, at, at + BLOCK);
  block.write(path, at, 100, "latin1");
  octal(block, at + 100, 8, header.mode & 0o7777);
  octal(block, at + 108, 8, 0);
  octal(block, at + 116, 8, 0);
  sizeField(block, at + 124, size);
  octal(block, at + 136, 12, squashfsTime(header.mtime));
  block.fill(0x20, at + 148, at + 156);
  block[at + 156] = flag.charCodeAt(0);
  block.write(header.linkPath, at + 157, 100, "latin1");
  block.write("ustar\x0000", at + 257, "latin1");
  octal(block, at + 329, 8, header.deviceMajor);
  octal(block, at + 337, 8, header.deviceMinor);
  let sum = 0;
  for (let i = at; i < at + BLOCK; i++) sum += block[i]!;
  octal(block, at + 148, 7, sum);
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, "latin1"), value, Buffer.from("\n")]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function octal(block: Uint8Array, at: number, length: number, value: number): void {
  // The last byte stays zero. Division is needed, because sizes and times go beyond 32 bits.
  for (let i = at + length - 2; i >= at; i--) {
    const rest = Math.floor(value / 8);
    block[i] = 0x30 + (value - rest * 8);
    value = rest;
  }
}

const MAX_OCTAL_SIZE = 8 ** 11 - 1;

function sizeField(block: Uint8Array, at: number, value: number): void {
  if (value <= MAX_OCTAL_SIZE) return octal(block, at, 12, value);
  block[at] = 0x80;
  for (let i = at + 11; i > at; i--) {
    const rest = Math.floor(value / 256);
    block[i] = value - rest * 256;
    value = rest;
  }
}

/** Parses a tar stream that is pushed in pieces, without copying content. */

import { Buffer } from "node:buffer";
import { BLOCK, type EntryType, padding, type TarEntry, TarError } from "./entry.ts";
import { parseHeader, type RawHeader } from "./header.ts";
import { parsePax, type PaxRecords } from "./pax.ts";
import {
  checkSegments,
  sparseExtension,
  type SparseFile,
  sparseFromHeader,
  sparseFromPax,
  SparseMap,
} from "./sparse.ts";
import { SparseContent } from "./sparse_content.ts";

/** Gets what a {@link TarParser} finds. */
export interface TarVisitor {
  /**
   * Called for each entry; the object is used again for the next one. True asks for the content.
   */
  entry(entry: TarEntry): boolean;
  /**
   * Called for each piece of the content, holes filled in. The view is valid during the call only.
   */
  content(bytes: Uint8Array): void;
}

/** Go's archive/tar has this limit too: a longer header is an attack, not a name. */
const MAX_METADATA = 1024 * 1024;

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "S": "file",
};

type State = "header" | "content" | "skip" | "metadata" | "sparse extension" | "sparse map" | "end";

export class TarParser {
  readonly #visitor: TarVisitor;
  readonly #entry: TarEntry = {
    ordinal: -1,
    type: "file",
    path: "",
    linkPath: "",
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: 0,
    size: 0,
    sparse: false,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
  };

  #state: State = "header";
  /** The start of a block whose end is in the next chunk. */
  readonly #carry = Buffer.alloc(BLOCK);
  #carried = 0;
  /** How many bytes of the current content, metadata or padding are left. */
  #left = 0;
  /** How many bytes of padding follow the current content or metadata. */
  #padding = 0;
  #wanted = false;
  #zeroBlocks = 0;

  #metadataFlag = "";
  #metadata: Buffer[] = [];
  /** Metadata came, but its entry did not come yet. */
  #announced = false;
  #pax: PaxRecords = {};
  #longPath: string | undefined;
  #longLink: string | undefined;

  #header: RawHeader | undefined;
  #sparse: SparseFile | undefined;
  #sparseContent: SparseContent | undefined;

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  /** Parses the next chunk. Throws {@link TarError}, and what the visitor throws. */
  push(chunk: Uint8Array): void {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < buffer.length) {
      switch (this.#state) {
        case "content":
          at += this.#takeContent(buffer, at);
          break;
        case "skip":
          at += this.#takeSkipped(buffer.length - at);
          break;
        case "metadata":
        case "sparse map":
          at += this.#takeMetadata(buffer, at);
          break;
        case "end":
          return;
        default:
          at += this.#takeBlock(buffer, at);
      }
    }
  }

  /**
   * How many of the next bytes can be skipped: unwanted content, padding, all after the end mark.
   */
  get idle(): number {
    if (this.#state === "end") return Infinity;
    if (this.#state === "skip") return this.#left;
    return this.#state === "content" && !this.#wanted ? this.#left + this.#padding : 0;
  }

  /** Skips the {@link idle} bytes; the caller does not push them. */
  skip(): void {
    if (this.#state === "content" && !this.#wanted) this.#endContent();
    if (this.#state === "skip") this.#state = "header";
  }

  /** To be called after the last chunk. Throws {@link TarError} when the archive was cut short. */
  finish(): void {
    // Some writers forget the last padding and the end-of-archive blocks.
    const between = (this.#state === "header" && this.#carried === 0) || this.#state === "skip";
    if (this.#state !== "end" && (!between || this.#announced)) {
      throw new TarError("The tar stream is cut short");
    }
  }

  #takeBlock(buffer: Buffer, at: number): number {
    if (this.#carried === 0 && buffer.length - at >= BLOCK) {
      this.#block(buffer, at);
      return BLOCK;
    }
    const count = Math.min(BLOCK - this.#carried, buffer.length - at);
    buffer.copy(this.#carry, this.#carried, at, at + count);
    this.#carried += count;
    if (this.#carried === BLOCK) {
      this.#carried = 0;
      this.#block(this.#carry, 0);
    }
    return count;
  }

  #block(block: Buffer, at: number): void {
    if (this.#state === "sparse extension") {
      const more = sparseExtension(block, at, this.#sparse!.segments);
      if (!more) this.#beginEntry(this.#header!);
      return;
    }
    const header = parseHeader(block, at);
    if (header === undefined) {
      if (++this.#zeroBlocks === 2) this.#state = "end";
      return;
    }
    if (this.#zeroBlocks > 0) throw new TarError("The tar stream has a zero block between entries");
    if (!Number.isSafeInteger(header.size) || header.size < 0) {
      throw new TarError("A tar header has an impossible size");
    }
    if ("xgLK".includes(header.flag)) {
      this.#beginMetadata(header);
    } else if (header.flag === "S") {
      const { file, more } = sparseFromHeader(block, at);
      this.#sparse = file;
      this.#header = header;
      if (more) this.#state = "sparse extension";
      else this.#beginEntry(header);
    } else {
      this.#beginEntry(header);
    }
  }

  #beginMetadata(header: RawHeader): void {
    if (header.size > MAX_METADATA) {
      throw new TarError(
        `A tar metadata header has ${header.size} bytes, more than ${MAX_METADATA}`,
      );
    }
    this.#metadataFlag = header.flag;
    this.#collect("metadata", header.size, padding(header.size));
    if (header.size === 0) this.#endMetadata();
  }

  #collect(state: "metadata" | "sparse map", size: number, pad: number): void {
    this.#state = state;
    this.#metadata = [];
    this.#left = size;
    this.#padding = pad;
  }

  #takeMetadata(buffer: Buffer, at: number): number {
    const count = Math.min(this.#left, buffer.length - at);
    this.#metadata.push(Buffer.from(buffer.subarray(at, at + count)));
    this.#left -= count;
    if (this.#left === 0) {
      if (this.#state === "metadata") this.#endMetadata();
      else this.#endSparseBlock();
    }
    return count;
  }

  #endMetadata(): void {
    const bytes = Buffer.concat(this.#metadata);
    const flag = this.#metadataFlag;
    this.#metadata = [];
    this.#metadataFlag = "";
    if (flag === "x") this.#pax = parsePax(bytes);
    else if (flag === "L") this.#longPath = untilZero(bytes) || undefined;
    else if (flag === "K") this.#longLink = untilZero(bytes) || undefined;
    if (flag !== "g") this.#announced = true;
    // A global header (`g`) has nothing that an image keeps: every engine ignores it.
    this.#skipPadding();
  }

  #beginEntry(header: RawHeader): void {
    const type = TYPES[header.flag];
    if (type === undefined) {
      throw new TarError(`The tar stream has an entry of unknown type ${quoteFlag(header.flag)}`);
    }
    const pax = this.#pax;
    const entry = this.#entry;
    const storedSize = pax.size ?? header.size;
    entry.ordinal++;
    entry.path = this.#longPath ?? pax.path ?? header.path;
    entry.linkPath = this.#longLink ?? pax.linkPath ?? header.linkPath;
    // Old archives have no type for directories; a slash marks them.
    entry.type = header.flag === "\0" && entry.path.endsWith("/") ? "directory" : type;
    if (entry.type === "file" && header.flag !== "S") {
      this.#sparse = sparseFromPax(pax, storedSize);
      if (this.#longPath === undefined) entry.path = this.#sparse?.path ?? entry.path;
    }
    entry.mode = header.mode;
    entry.uid = pax.uid ?? header.uid;
    entry.gid = pax.gid ?? header.gid;
    entry.mtime = pax.mtime ?? header.mtime;
    entry.deviceMajor = header.deviceMajor;
    entry.deviceMinor = header.deviceMinor;
    entry.xattrs = pax.xattrs;
    this.#announced = false;
    this.#pax = {};
    this.#longPath = undefined;
    this.#longLink = undefined;
    this.#header = undefined;
    // Only files have content, even if the size says otherwise (Go's archive/tar does the same).
    if (entry.type === "file") this.#beginContent(storedSize);
    else this.#beginContent(0);
  }

  #beginContent(storedSize: number): void {
    const sparse = this.#sparse;
    this.#left = storedSize;
    this.#padding = padding(storedSize);
    if (sparse?.mapInData) {
      this.#storedLeft = storedSize;
      this.#map = new SparseMap();
      this.#collectSparseBlock();
      return;
    }
    if (sparse !== undefined) checkSegments(sparse.segments, sparse.size, storedSize);
    this.#announce(sparse?.size ?? storedSize);
  }

  #announce(size: number): void {
    this.#entry.size = size;
    this.#entry.sparse = this.#sparse !== undefined;
    this.#wanted = this.#visitor.entry(this.#entry);
    const { content } = this.#visitor;
    this.#sparseContent = this.#sparse &&
      new SparseContent(this.#sparse, content.bind(this.#visitor));
    if (this.#left > 0) this.#state = "content";
    else this.#endContent();
  }

  #takeContent(buffer: Buffer, at: number): number {
    const count = Math.min(this.#left, buffer.length - at);
    if (this.#wanted) {
      const piece = buffer.subarray(at, at + count);
      if (this.#sparseContent === undefined) this.#visitor.content(piece);
      else this.#sparseContent.push(piece);
    }
    this.#left -= count;
    if (this.#left === 0) this.#endContent();
    return count;
  }

  #endContent(): void {
    if (this.#wanted) this.#sparseContent?.end();
    this.#sparse = undefined;
    this.#sparseContent = undefined;
    this.#skipPadding();
  }

  #skipPadding(): void {
    this.#left = this.#padding;
    this.#state = this.#left > 0 ? "skip" : "header";
  }

  #takeSkipped(available: number): number {
    const count = Math.min(this.#left, available);
    this.#left -= count;
    if (this.#left === 0) this.#state = "header";
    return count;
  }

  // Sparse files.

  #storedLeft = 0;
  #map = new SparseMap();

  #collectSparseBlock(): void {
    if (this.#storedLeft < BLOCK) throw new TarError("A sparse file ends within its map");
    this.#collect("sparse map", BLOCK, this.#padding);
  }

  #endSparseBlock(): void {
    const block = Buffer.concat(this.#metadata);
    this.#metadata = [];
    this.#storedLeft -= BLOCK;
    const segments = this.#map.add(block);
    if (segments === undefined) return this.#collectSparseBlock();
    checkSegments(segments, this.#sparse!.size, this.#storedLeft);
    this.#sparse = { ...this.#sparse!, segments, mapInData: false };
    this.#left = this.#storedLeft;
    this.#announce(this.#sparse.size);
  }
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

function quoteFlag(flag: string): string {
  return /^[ -~]$/.test(flag) ? `'${flag}'` : `0x${flag.charCodeAt(0).toString(16)}`;
}

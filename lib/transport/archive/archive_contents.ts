/** The files in an archive of images: their names and sizes, and where their bytes are. */

import { Buffer } from "node:buffer";
import { DenrootError, messageOf } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { TarEntry } from "../../tar/entry.ts";
import type { BlobStore, BlobWriter } from "../../types/source.ts";
import { ArchiveParts } from "./archive_parts.ts";
import { cleanName } from "./clean_name.ts";

/** A position in a file on this machine. */
export interface FilePosition {
  readonly path: string;
  /** In bytes from the start. */
  readonly offset: number;
}

interface ArchiveFile {
  /** The file's own name, with all links followed. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

/** Bytes of an archive that lie in several of its parts. */
interface Spread {
  readonly parts: ArchiveParts;
  /** In the archive as a whole. */
  readonly start: number;
}

type Stored = FilePosition | Spread | { readonly bytes: Uint8Array };

type NamedEntry = Pick<TarEntry, "type" | "path" | "linkPath" | "size">;

/** What an archive has under a name. */
type Member =
  | { readonly type: "file"; readonly size: number; stored: Stored }
  /** `target` is undefined for a link that leads out of the archive. */
  | { readonly type: "link"; readonly target: string | undefined }
  /** A member that is not read; `why` completes the sentence "The file …". */
  | { readonly type: "unfit"; readonly why: string };

/** An archive of a thousand images has fewer entries. */
const MAX_ENTRIES = 50_000;
/** In bytes. The name of a blob has about 80. */
const MAX_NAME_LENGTH = 1024;
const MAX_LINKS = 10;

/**
 * The files of an archive by their names, which are clean and relative: `blobs/sha256/…`. Links may
 * lead to other files of the archive, but not out of it.
 */
export class ArchiveContents {
  /** The archive's name in messages: `The archive "x.tar"`. */
  readonly name: string;
  /**
   * Whether the tar stream has its end mark. Some programs do not write it; but it may also be
   * missing because the archive was cut short.
   */
  hasEndMark = true;
  readonly #blobs: BlobStore;
  readonly #members = new Map<string, Member>();
  /** The writers that have put files of the archive into the store. */
  readonly #writers: BlobWriter[] = [];
  #entries = 0;

  constructor(name: string, blobs: BlobStore) {
    this.name = name;
    this.#blobs = blobs;
  }

  /** The names of all files and links. */
  get names(): Iterable<string> {
    return this.#members.keys();
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** The hint when a file is missing. */
  get endHint(): string | undefined {
    return this.hasEndMark ? undefined : "The archive has no end mark: it may have been cut short";
  }

  /** Puts a file that was written into the store, and gives its position there. */
  async store(writer: BlobWriter): Promise<FilePosition> {
    const blob = await writer.commit();
    this.#writers.push(writer);
    return { path: this.#blobs.find(blob)!, offset: 0 };
  }

  /** Gives the result of `open`. When `open` throws, the archive's files are removed from the store. */
  async openAs<T>(open: () => T | Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      this.takeBack();
      throw error;
    }
  }

  /** Removes the archive's files from the store, except those that it had before. */
  takeBack(): void {
    for (const writer of this.#writers) writer.takeBack();
  }

  /**
   * Adds an entry. `stored` is where its bytes are, if they can be read. Throws code `limit` for too
   * many entries or too long a name, `file` for a name that leads out of the archive.
   */
  add(entry: NamedEntry, stored: Stored | undefined): void {
    if (++this.#entries > MAX_ENTRIES) {
      throw new DenrootError("limit", `${this.name} has more than ${MAX_ENTRIES} entries`, {
        hint: "An archive of images has far fewer entries; this may be a tar of a root file system",
      });
    }
    if (Math.max(entry.path.length, entry.linkPath.length) > MAX_NAME_LENGTH) {
      throw new DenrootError(
        "limit",
        `${this.name} has a name of more than ${MAX_NAME_LENGTH} bytes`,
      );
    }
    if (entry.type === "directory") return;
    const path = utf8(entry.path);
    const name = cleanName(path);
    if (name === undefined) {
      throw new DenrootError(
        "file",
        `${this.name} has a name that leads out of it: ${quoteText(path)}`,
      );
    }
    // Readers disagree on which of two members of one name counts: the first or the last.
    const member: Member = this.#members.has(name)
      ? { type: "unfit", why: "occurs more than once" }
      : memberOf(entry, name, stored);
    this.#members.set(name, member);
  }

  /**
   * Finds the file that has the name, or to which a link of that name leads; gives undefined when
   * there is none. Throws code `file` when the member cannot be read.
   */
  find(name: string): ArchiveFile | undefined {
    const found = this.#follow(name);
    return found && { name: found.name, size: found.file.size };
  }

  /** Reads a small file. Throws code `not_found`, `file`, or `limit` for more than `limit` bytes. */
  read(name: string, limit: number): Uint8Array {
    const { size } = this.#file(name);
    if (size <= limit) return this.readStart(name, size);
    throw new DenrootError(
      "limit",
      `${this.#shown(name)} has ${size} bytes, more than ${limit / 1024} KiB`,
    );
  }

  /** Reads the first `count` bytes of a file, or all if it has fewer. Throws code `not_found` or `file`. */
  readStart(name: string, count: number): Uint8Array {
    const { size, stored } = this.#file(name);
    if ("bytes" in stored) return stored.bytes.subarray(0, count);
    try {
      return readStretch(stored, Math.min(size, count));
    } catch (cause) {
      throw new DenrootError("file", `${this.#shown(name)} cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** Writes a small file to the disk if it is only in memory, so that it has a {@link position}. */
  async keep(name: string): Promise<void> {
    const file = this.#file(name);
    if (!("bytes" in file.stored)) return;
    const writer = this.#blobs.spool();
    try {
      writer.write(file.stored.bytes);
      file.stored = await this.store(writer);
    } finally {
      writer.close();
    }
  }

  /** Whether there are files whose bytes lie in several parts of the archive. */
  get hasSpreadFiles(): boolean {
    return [...this.#members.values()].some((member) =>
      member.type === "file" && "parts" in member.stored
    );
  }

  /** Whether the bytes of a file lie in several parts of the archive. */
  isSpread(name: string): boolean {
    const found = this.#follow(name);
    return found !== undefined && "parts" in found.file.stored;
  }

  /** The bytes of a file that {@link isSpread}, from `start` to `end`. */
  stream(
    name: string,
    start: number,
    end: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const { stored } = this.#file(name);
    if (!("parts" in stored)) throw new TypeError(`${name} is in one part`);
    return stored.parts.stream(stored.start + start, stored.start + end, signal);
  }

  /** Where the bytes of a file are on the disk. Throws code `not_found` or `file`. */
  position(name: string): FilePosition {
    const { stored } = this.#file(name);
    if ("bytes" in stored) throw new TypeError(`${name} is in memory`);
    if ("parts" in stored) {
      throw new DenrootError("file", `${this.#shown(name)} lies in several parts of the archive`, {
        hint: "Put the archive together first: cat FILE.0* > FILE",
      });
    }
    return stored;
  }

  #file(name: string): Extract<Member, { type: "file" }> {
    const found = this.#follow(name);
    if (found !== undefined) return found.file;
    throw new DenrootError("not_found", `${this.#shown(name)} is missing`, {
      hint: this.endHint,
    });
  }

  #follow(
    wanted: string,
  ): { readonly name: string; readonly file: Extract<Member, { type: "file" }> } | undefined {
    let name = cleanName(wanted);
    for (let links = 0; links <= MAX_LINKS; links++) {
      if (name === undefined) {
        throw new DenrootError("file", `${this.#shown(wanted)} leads out of the archive`);
      }
      const member = this.#members.get(name);
      if (member === undefined) return undefined;
      if (member.type === "file") return { name, file: member };
      if (member.type === "unfit") {
        throw new DenrootError("file", `${this.#shown(name)} ${member.why}`);
      }
      name = member.target;
    }
    throw new DenrootError(
      "file",
      `${this.#shown(wanted)} is a chain of more than ${MAX_LINKS} links`,
    );
  }

  #shown(name: string): string {
    return `${this.name}: the file ${quoteText(name, 200)}`;
  }
}

function memberOf(entry: NamedEntry, name: string, stored: Stored | undefined): Member {
  switch (entry.type) {
    case "file":
      return stored === undefined
        ? {
          type: "unfit",
          why: "is a sparse file, which denroot does not read from a plain archive",
        }
        : { type: "file", size: entry.size, stored };
    case "hardlink":
      return { type: "link", target: cleanName(utf8(entry.linkPath)) };
    case "symlink":
      return { type: "link", target: symlinkTarget(name, utf8(entry.linkPath)) };
    default:
      return { type: "unfit", why: "is not a regular file" };
  }
}

/** Gives undefined for an absolute target: it leads out of the archive. */
function symlinkTarget(name: string, target: string): string | undefined {
  if (target.startsWith("/")) return undefined;
  return cleanName(`${name.slice(0, name.lastIndexOf("/") + 1)}${target}`);
}

function readStretch(
  stored: FilePosition | Spread,
  size: number,
): Uint8Array {
  const bytes = Buffer.alloc(size);
  const [parts, start] = "parts" in stored
    ? [stored.parts, stored.start]
    : [new ArchiveParts([stored.path]), stored.offset];
  using file = parts.open();
  for (let at = 0; at < size;) {
    const count = file.read(bytes.subarray(at), start + at);
    if (count === 0) throw new Error("the archive ends too early");
    at += count;
  }
  return bytes;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}

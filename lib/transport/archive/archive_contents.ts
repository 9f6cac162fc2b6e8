/** What is in an archive of images: names, sizes, and where each file's bytes lie. */

import { closeSync, openSync, readSync } from "node:fs";
import { Buffer } from "node:buffer";
import { DenrootError, messageOf } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { TarEntry } from "../../tar/entry.ts";
import type { BlobStore, BlobWriter } from "../../types/source.ts";
import { cleanName } from "./clean_name.ts";

/** A stretch of a file on this machine. */
export interface FilePlace {
  readonly path: string;
  readonly offset: number;
}

/** One file of an archive. */
export interface ArchiveFile {
  readonly name: string;
  readonly size: number;
}

type Stored = FilePlace | { readonly bytes: Uint8Array };

type NamedEntry = Pick<TarEntry, "type" | "path" | "linkPath" | "size">;

/** What a name stands for. */
type Member =
  | { readonly type: "file"; readonly size: number; stored: Stored }
  | { readonly type: "link"; readonly target: string | undefined }
  /** The reason why nothing can be read there. */
  | { readonly type: "unfit"; readonly why: string };

/** More than thousands of images have. */
const MAX_ENTRIES = 50_000;
/** A blob's name has some 80. */
const MAX_NAME_LENGTH = 1024;
const MAX_LINKS = 10;

/**
 * Files by their names, which are clean and relative: `blobs/sha256/…`. Links lead to other files of
 * the archive, never out of it.
 */
export class ArchiveContents {
  /** What messages call the archive: `The archive "x.tar"`. */
  readonly name: string;
  /** Tar has one, which some writers forget; without it the archive may have been cut short. */
  hasEndMark = true;
  readonly #blobs: BlobStore;
  readonly #members = new Map<string, Member>();
  /** What put files of the archive into the store. */
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

  /** What to say when something is missing. */
  get endHint(): string | undefined {
    return this.hasEndMark ? undefined : "The archive has no end mark: it may have been cut short";
  }

  /** Puts into the store what was written for a file, and says where it lies. */
  async store(writer: BlobWriter): Promise<FilePlace> {
    const blob = await writer.commit();
    this.#writers.push(writer);
    return { path: this.#blobs.find(blob)!, offset: 0 };
  }

  /** What `open` makes of the contents; when it refuses them, nothing of them stays in the store. */
  async openAs<T>(open: () => T | Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      this.takeBack();
      throw error;
    }
  }

  /** Removes from the store what it had not before. */
  takeBack(): void {
    for (const writer of this.#writers) writer.takeBack();
  }

  /** Takes note of an entry. Throws code `limit`; code `file` for a name that leads out. */
  add(entry: NamedEntry, stored: Stored | undefined): void {
    if (++this.#entries > MAX_ENTRIES) {
      throw new DenrootError("limit", `${this.name} has more than ${MAX_ENTRIES} entries`, {
        hint: "No archive of images has as many; the tar of a root file system is no image",
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
      throw new DenrootError("file", `${this.name} has a name that leads out: ${quoteText(path)}`);
    }
    // Whoever looks from the front finds the first of them, whoever unpacks it the last.
    const member: Member = this.#members.has(name)
      ? { type: "unfit", why: "is in it twice" }
      : memberOf(entry, name, stored);
    this.#members.set(name, member);
  }

  /**
   * The file of that name, or that a link of that name leads to; undefined when there is none.
   * Throws code `file` when what is there is not fit to be read.
   */
  find(name: string): ArchiveFile | undefined {
    const found = this.#follow(name);
    return found && { name: found.name, size: found.file.size };
  }

  /** The bytes of a small file. Throws code `not_found`, `file`, or `limit` beyond `limit` bytes. */
  read(name: string, limit: number): Uint8Array {
    const { size } = this.#file(name);
    if (size <= limit) return this.readStart(name, size);
    throw new DenrootError(
      "limit",
      `${this.#shown(name)} has ${size} bytes, more than ${limit / 1024} KiB`,
    );
  }

  /** The first `count` bytes of a file, or all if it has fewer. Throws code `not_found` or `file`. */
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

  /** Makes sure that a file lies on the disk, with a {@link place}: a small one may not yet. */
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

  /** Where the bytes of a file lie that is on the disk. Throws code `not_found` or `file`. */
  place(name: string): FilePlace {
    const { stored } = this.#file(name);
    if ("bytes" in stored) throw new TypeError(`${name} is in memory`);
    return stored;
  }

  #file(name: string): Extract<Member, { type: "file" }> {
    const found = this.#follow(name);
    if (found !== undefined) return found.file;
    throw new DenrootError("not_found", `${this.#shown(name)} is not there`, {
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
    throw new DenrootError("file", `${this.#shown(wanted)} is a link to itself`);
  }

  #shown(name: string): string {
    return `${this.name}: the file ${quoteText(name, 200)}`;
  }
}

function memberOf(entry: NamedEntry, name: string, stored: Stored | undefined): Member {
  switch (entry.type) {
    case "file":
      return stored === undefined
        ? { type: "unfit", why: "has holes, which only unpacking fills" }
        : { type: "file", size: entry.size, stored };
    case "hardlink":
      return { type: "link", target: cleanName(utf8(entry.linkPath)) };
    case "symlink":
      return { type: "link", target: symlinkTarget(name, utf8(entry.linkPath)) };
    default:
      return { type: "unfit", why: "is no regular file" };
  }
}

/** An absolute one leads out, wherever the archive is unpacked. */
function symlinkTarget(name: string, target: string): string | undefined {
  if (target.startsWith("/")) return undefined;
  return cleanName(`${name.slice(0, name.lastIndexOf("/") + 1)}${target}`);
}

function readStretch({ path, offset }: FilePlace, size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  const fd = openSync(path, "r");
  try {
    for (let at = 0; at < size;) {
      const count = readSync(fd, bytes, at, size - at, offset + at);
      if (count === 0) throw new Error("it is cut short");
      at += count;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}

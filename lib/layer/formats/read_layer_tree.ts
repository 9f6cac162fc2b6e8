/**
 * Reads a layer that containers-storage has unpacked and has no recipe for: a new tar stream is
 * made of its directory. Deletions become whiteouts (image-spec, layer.md); overlayfs and
 * fuse-overlayfs mark them in different ways.
 */

import { Buffer } from "node:buffer";
import { DenrootError } from "../../errors.ts";
import {
  BLOCK_DEVICE,
  CHARACTER,
  DIRECTORY,
  FIFO,
  FILE_TYPE,
  type FileStatus,
  type NativeFiles,
  nativeFiles,
  REGULAR,
  SYMLINK,
} from "../../system/files/native_files.ts";
import type { EntryType } from "../../tar/entry.ts";
import { type EntryHeader, TarWriter } from "../../tar/tar_writer.ts";
import type { LayerTree } from "../../types/source.ts";
import { unreadable } from "./layer_directory.ts";

const READ_SIZE = 256 * 1024;
/** Every level needs an open file descriptor. */
const MAX_DEPTH = 500;

const OPAQUE = ".wh..wh..opq";
const OPAQUE_MARKS = [
  "trusted.overlay.opaque",
  "user.overlay.opaque",
  "user.fuseoverlayfs.opaque",
];
/** The owner and permissions of the image, where the file itself could not get them. */
const OVERRIDDEN_STATUS = "user.containers.override_stat";

const TYPES: Readonly<Record<number, EntryType>> = {
  [REGULAR]: "file",
  [DIRECTORY]: "directory",
  [SYMLINK]: "symlink",
  [CHARACTER]: "character",
  [BLOCK_DEVICE]: "block",
  [FIFO]: "fifo",
};

/**
 * Yields the tar stream, the same for the same files: sorted by name, hard links kept. The root has
 * no entry, since the storage invents its permissions. Throws code `file` when a file cannot be
 * read, `limit` for directories deeper than 500 levels.
 */
export async function* readLayerTree({ root, isWhole }: LayerTree): AsyncIterable<Uint8Array> {
  const native = await nativeFiles();
  const descriptor = native.openRoot(root);
  if (descriptor < 0) throw unreadable(Buffer.from(root).toString("latin1"), descriptor);
  try {
    const walk = new TreeWalk(native);
    if (isWhole) walk.writeEmpty(OPAQUE);
    yield* walk.directory(descriptor, "", 0);
    yield* walk.end();
  } finally {
    native.close(descriptor);
  }
}

class TreeWalk {
  readonly #native: NativeFiles;
  readonly #writer = new TarWriter((bytes) => this.#pieces.push(new Uint8Array(bytes)));
  readonly #buffer = new Uint8Array(READ_SIZE);
  /** The first names of files that have several, by the identity of the file. */
  readonly #firstNames = new Map<string, string>();
  #pieces: Uint8Array[] = [];

  constructor(native: NativeFiles) {
    this.#native = native;
  }

  /** Yields the entries in an open directory, and those below it. */
  async *directory(descriptor: number, path: string, depth: number): AsyncIterable<Uint8Array> {
    if (depth > MAX_DEPTH) {
      throw new DenrootError("limit", `The layer has directories deeper than ${MAX_DEPTH} levels`);
    }
    const names = this.#native.list(descriptor);
    if (typeof names === "number") throw unreadable(path, names);
    for (const name of names.sort()) {
      yield* this.#entry(descriptor, name, path === "" ? name : `${path}/${name}`, depth);
      yield* this.#flushed();
    }
  }

  /** Writes a whiteout. */
  writeEmpty(path: string): void {
    this.#writer.entry({ ...EMPTY, path });
  }

  *end(): Iterable<Uint8Array> {
    this.#writer.end();
    yield* this.#flushed();
  }

  async *#entry(
    directory: number,
    name: string,
    path: string,
    depth: number,
  ): AsyncIterable<Uint8Array> {
    const status = this.#native.status(directory, name);
    if (typeof status === "number") throw unreadable(path, status);
    const type = TYPES[status.mode & FILE_TYPE];
    // It is a socket, which no archive can hold.
    if (type === undefined) return;
    if (type === "character" && status.deviceMajor === 0 && status.deviceMinor === 0) {
      return this.writeEmpty(`${path.slice(0, -name.length)}.wh.${name}`);
    }
    if (type !== "directory" && status.links > 1) {
      const first = this.#firstNames.get(status.identity);
      if (first !== undefined) {
        return this.#writer.entry({ ...EMPTY, type: "hardlink", path, linkPath: first });
      }
      this.#firstNames.set(status.identity, path);
    }
    const xattrs = this.#native.xattrs(directory, name);
    const linkPath = type === "symlink" ? this.#native.readLink(directory, name) : "";
    if (typeof linkPath === "number") throw unreadable(path, linkPath);
    this.#writer.entry(headerOf(type, path, linkPath, status, xattrs));
    if (type === "file") yield* this.#content(directory, name, path, status.size);
    if (type === "directory") yield* this.#subdirectory(directory, name, path, xattrs, depth);
  }

  async *#subdirectory(
    parent: number,
    name: string,
    path: string,
    xattrs: ReadonlyMap<string, Uint8Array>,
    depth: number,
  ): AsyncIterable<Uint8Array> {
    const isOpaque = OPAQUE_MARKS.some((mark) => text(xattrs.get(mark)) === "y");
    if (isOpaque) this.writeEmpty(`${path}/${OPAQUE}`);
    const descriptor = this.#native.openDirectory(parent, name);
    if (descriptor < 0) throw unreadable(path, descriptor);
    try {
      yield* this.directory(descriptor, path, depth + 1);
    } finally {
      this.#native.close(descriptor);
    }
  }

  *#content(directory: number, name: string, path: string, size: number): Iterable<Uint8Array> {
    if (size === 0) return;
    const descriptor = this.#native.openFile(directory, name);
    if (descriptor < 0) throw unreadable(path, descriptor);
    try {
      for (let left = size; left > 0;) {
        const wanted = this.#buffer.subarray(0, Math.min(left, READ_SIZE));
        const count = this.#native.read(descriptor, wanted);
        if (count < 0) throw unreadable(path, count);
        if (count === 0) {
          throw new DenrootError("file", "A file of the layer became shorter while it was read");
        }
        this.#writer.content(this.#buffer.subarray(0, count));
        left -= count;
        yield* this.#flushed();
      }
    } finally {
      this.#native.close(descriptor);
    }
  }

  *#flushed(): Iterable<Uint8Array> {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    yield* pieces;
  }
}

const EMPTY: EntryHeader = {
  type: "file",
  path: "",
  linkPath: "",
  mode: 0,
  mtime: 0,
  size: 0,
  deviceMajor: 0,
  deviceMinor: 0,
};

function headerOf(
  type: EntryType,
  path: string,
  linkPath: string,
  status: FileStatus,
  xattrs: ReadonlyMap<string, Uint8Array>,
): EntryHeader {
  // The value is OWNER:GROUP:MODE, the mode in octal; owners are not needed.
  const overridden = /^\d+:\d+:([0-7]+)/.exec(text(xattrs.get(OVERRIDDEN_STATUS)))?.[1];
  return {
    type,
    path,
    linkPath,
    mode: (overridden === undefined ? status.mode : parseInt(overridden, 8)) & 0o7777,
    mtime: status.mtime,
    size: type === "file" ? status.size : 0,
    deviceMajor: status.deviceMajor,
    deviceMinor: status.deviceMinor,
    xattrs,
  };
}

function text(value: Uint8Array | undefined): string {
  return value === undefined ? "" : Buffer.from(value).toString("latin1");
}

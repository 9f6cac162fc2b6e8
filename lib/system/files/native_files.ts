/**
 * Files as the kernel sees them: names are bytes, a directory is an open descriptor, and extended
 * attributes can be read. The runtimes do not offer this. It works only on Linux on x86-64 and
 * arm64.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import os from "node:os";
import { loadLibc } from "../libc.ts";

/** What a name stands for. */
export interface FileStatus {
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  /** Whole seconds, rounded down; may be negative. */
  readonly mtime: number;
  /** Two names have the same identity only if they are names of one file. */
  readonly identity: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Bits such as {@link IMMUTABLE}; 0 where the file system does not tell. */
  readonly attributes: number;
}

/**
 * Names are `latin1` strings, one character for each byte. A result below 0 is the kernel's error
 * number, negated.
 */
export interface NativeFiles {
  /** Opens `name` in an open directory, for reading. Never follows a symlink. */
  openFile(directory: number, name: string): number;
  /** Does as {@link openFile} does, for a directory. */
  openDirectory(directory: number, name: string): number;
  /** Opens a directory by its path. Follows symlinks. */
  openRoot(path: string): number;
  /** Reads some bytes; 0 at the end. */
  read(descriptor: number, buffer: Uint8Array): number;
  close(descriptor: number): void;
  /** Looks at the name itself, not at the target of a symlink. An empty name is the directory. */
  status(directory: number, name: string): FileStatus | number;
  /** The names in an open directory, without `.` and `..`. */
  list(directory: number): string[] | number;
  /** A symlink's target. */
  readLink(directory: number, name: string): string | number;
  /** All extended attributes that this process may see. */
  xattrs(directory: number, name: string): ReadonlyMap<string, Uint8Array>;
}

export const ENOENT = -2;
export const EACCES = -13;
export const EPERM = -1;
export const ENOTDIR = -20;
export const ELOOP = -40;

export const FILE_TYPE = 0o170000;
export const DIRECTORY = 0o040000;
export const REGULAR = 0o100000;
export const SYMLINK = 0o120000;
export const CHARACTER = 0o020000;
export const BLOCK_DEVICE = 0o060000;
export const FIFO = 0o010000;

/** `STATX_ATTR_…` */
export const IMMUTABLE = 0x10;
export const APPEND_ONLY = 0x20;
export const MOUNT_ROOT = 0x2000;

const EIO = -5;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const O_CLOEXEC = 0o2000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** Numbers of system calls for which glibc has functions only since 2.28 and 2.30. */
const SYSCALLS = os.arch() === "arm64"
  ? { statx: 291, getdents64: 61 }
  : { statx: 332, getdents64: 217 };

const LIST_SIZE = 64 * 1024;
/** The longest target of a symlink, and the largest value (PATH_MAX, XATTR_SIZE_MAX). */
const MAX_VALUE = 64 * 1024;

/** `syscall` has one shape here, which fits both of its uses. */
const SIGNATURES = {
  openat: { args: ["i32", "buffer", "i32"], result: "i32" },
  read: { args: ["i32", "buffer", "usize"], result: "isize" },
  close: { args: ["i32"], result: "i32" },
  readlinkat: { args: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  llistxattr: { args: ["buffer", "buffer", "usize"], result: "isize" },
  lgetxattr: { args: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  syscall: { args: ["usize", "usize", "buffer", "usize", "usize", "buffer"], result: "isize" },
  __errno_location: { args: [], result: "isize" },
  memcpy: { args: ["buffer", "usize", "usize"], result: "isize" },
} as const;

let loaded: Promise<NativeFiles> | undefined;

/** Loads libc through the running runtime, once in each thread that calls this. */
export function nativeFiles(): Promise<NativeFiles> {
  return loaded ??= load();
}

async function load(): Promise<NativeFiles> {
  const libc = await loadLibc(SIGNATURES);
  const errno = new Int32Array(1);
  const orError = (result: number) => {
    if (result >= 0) return result;
    libc.memcpy(errno, libc.__errno_location(), errno.byteLength);
    return -errno[0]! || EIO;
  };
  const open = (directory: number, name: string, flags: number) =>
    orError(libc.openat(directory, cString(name), flags | O_CLOEXEC));
  const status = new DataView(new ArrayBuffer(256));
  const statusBytes = new Uint8Array(status.buffer);
  const value = Buffer.alloc(MAX_VALUE);
  const listing = Buffer.alloc(LIST_SIZE);
  const { statx, getdents64 } = SYSCALLS;
  return {
    // Without O_NONBLOCK, opening a pipe that has no writer would wait for ever.
    openFile: (directory, name) => open(directory, name, O_NOFOLLOW | O_NONBLOCK),
    openDirectory: (directory, name) => open(directory, name, O_NOFOLLOW | O_DIRECTORY),
    openRoot: (path) => open(AT_FDCWD, Buffer.from(path).toString("latin1"), O_DIRECTORY),
    read: (descriptor, buffer) => orError(libc.read(descriptor, buffer, buffer.length)),
    close: (descriptor) => void libc.close(descriptor),
    status(directory, name) {
      const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
      const path = cString(name);
      const result = orError(
        libc.syscall(statx, directory, path, flags, STATX_BASIC_STATS, statusBytes),
      );
      return result < 0 ? result : parseStatus(status);
    },
    list(directory) {
      const names: string[] = [];
      for (;;) {
        const count = orError(
          libc.syscall(getdents64, directory, listing, LIST_SIZE, 0, statusBytes),
        );
        if (count < 0) return count;
        if (count === 0) return names;
        for (const name of directoryNames(listing.subarray(0, count))) names.push(name);
      }
    },
    readLink(directory, name) {
      const count = orError(libc.readlinkat(directory, cString(name), value, value.length));
      return count < 0 ? count : value.toString("latin1", 0, count);
    },
    xattrs(directory, name) {
      const path = cString(`/proc/self/fd/${directory}/${name}`);
      const attributes = new Map<string, Uint8Array>();
      const length = libc.llistxattr(path, value, value.length);
      if (length <= 0) return attributes;
      for (const key of value.toString("latin1", 0, length - 1).split("\0")) {
        const count = libc.lgetxattr(path, cString(key), value, value.length);
        if (count >= 0) attributes.set(key, new Uint8Array(value.subarray(0, count)));
      }
      return attributes;
    },
  };
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, "latin1");
}

/** `struct statx`. */
function parseStatus(view: DataView): FileStatus {
  const count = (at: number) => Number(view.getBigUint64(at, true));
  return {
    mode: view.getUint16(28, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    links: view.getUint32(16, true),
    size: count(40),
    mtime: Number(view.getBigInt64(112, true)),
    identity: `${view.getUint32(136, true)}:${view.getUint32(140, true)}:${
      view.getBigUint64(32, true)
    }`,
    deviceMajor: view.getUint32(128, true),
    deviceMinor: view.getUint32(132, true),
    attributes: view.getUint32(8, true),
  };
}

/** Each `struct linux_dirent64` has an inode, an offset, its length, a type and a name. */
function* directoryNames(entries: Buffer): Iterable<string> {
  for (let at = 0; at < entries.length;) {
    const length = entries.readUInt16LE(at + 16);
    const name = entries.toString("latin1", at + 19, entries.indexOf(0, at + 19));
    if (name !== "." && name !== "..") yield name;
    at += length;
  }
}

/**
 * Changes to a tree of files through open directories, which the runtimes do not offer: with them no
 * symbolic link can lead a change to another place. Names and results are those of `NativeFiles`.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { loadLibc } from "../libc.ts";

export interface NativeTree {
  /** Makes a file that is not there yet and opens it for writing. The umask takes bits away. */
  createFile(directory: number, name: string, mode: number): number;
  createDirectory(directory: number, name: string, mode: number): number;
  createSymlink(directory: number, name: string, target: string): number;
  /** Makes one more name for a file, and does not follow a symbolic link. */
  createLink(fromDirectory: number, from: string, directory: number, name: string): number;
  /** Makes a pipe with a name or, for root, a device. `mode` has the type too. */
  createNode(directory: number, name: string, mode: number, major: number, minor: number): number;
  /** Writes some of `bytes`. */
  writeAt(descriptor: number, bytes: Uint8Array, position: number): number;
  setSize(descriptor: number, size: number): number;
  setMode(descriptor: number, mode: number): number;
  setOwner(descriptor: number, uid: number, gid: number): number;
  /** Sets the mode of a name that is no symbolic link: one would be followed. */
  setModeOf(directory: number, name: string, mode: number): number;
  /** Sets both times of an open file, in seconds since 1970. */
  setTime(descriptor: number, seconds: number): number;
  /** Sets both times of a name itself, also of a symbolic link. */
  setTimeOf(directory: number, name: string, seconds: number): number;
  setXattr(descriptor: number, name: string, value: Uint8Array): number;
  rename(fromDirectory: number, from: string, directory: number, to: string): number;
  /** Removes anything but a directory. */
  removeFile(directory: number, name: string): number;
  removeDirectory(directory: number, name: string): number;
  /** What {@link NativeTree}'s callers open must be closed by this. */
  close(descriptor: number): void;
}

export const EEXIST = -17;
export const EXDEV = -18;
export const EISDIR = -21;
export const EOPNOTSUPP = -95;

const EIO = -5;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const O_CLOEXEC = 0o2000000;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;
/** Two of `struct timespec`, each with seconds and nanoseconds. */
const TIMES_SIZE = 32;

const SIGNATURES = {
  openat: { args: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { args: ["i32"], result: "i32" },
  mkdirat: { args: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { args: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { args: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  pwrite: { args: ["i32", "buffer", "usize", "usize"], result: "isize" },
  ftruncate: { args: ["i32", "usize"], result: "i32" },
  fchmod: { args: ["i32", "u32"], result: "i32" },
  fchown: { args: ["i32", "u32", "u32"], result: "i32" },
  fchmodat: { args: ["i32", "buffer", "u32", "i32"], result: "i32" },
  futimens: { args: ["i32", "buffer"], result: "i32" },
  utimensat: { args: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  fsetxattr: { args: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  renameat: { args: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { args: ["i32", "buffer", "i32"], result: "i32" },
  // glibc has a function of that name only since 2.33.
  __xmknodat: { args: ["i32", "i32", "buffer", "u32", "buffer"], result: "i32" },
  __errno_location: { args: [], result: "isize" },
  memcpy: { args: ["buffer", "usize", "usize"], result: "isize" },
} as const;

let loaded: Promise<NativeTree> | undefined;

/** Loads libc through the running runtime, once in each thread that calls this. */
export function nativeTree(): Promise<NativeTree> {
  return loaded ??= load();
}

async function load(): Promise<NativeTree> {
  const libc = await loadLibc(SIGNATURES);
  const errno = new Int32Array(1);
  const orError = (result: number) => {
    if (result >= 0) return result;
    libc.memcpy(errno, libc.__errno_location(), errno.byteLength);
    return -errno[0]! || EIO;
  };
  const times = new DataView(new ArrayBuffer(TIMES_SIZE));
  const timesBytes = new Uint8Array(times.buffer);
  const timesOf = (seconds: number) => {
    times.setBigInt64(0, BigInt(seconds), true);
    times.setBigInt64(16, BigInt(seconds), true);
    return timesBytes;
  };
  const device = new BigUint64Array(1);
  return {
    createFile: (directory, name, mode) =>
      orError(libc.openat(
        directory,
        cString(name),
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        mode,
      )),
    createDirectory: (directory, name, mode) =>
      orError(libc.mkdirat(directory, cString(name), mode)),
    createSymlink: (directory, name, target) =>
      orError(libc.symlinkat(cString(target), directory, cString(name))),
    createLink: (fromDirectory, from, directory, name) =>
      orError(libc.linkat(fromDirectory, cString(from), directory, cString(name), 0)),
    createNode(directory, name, mode, major, minor) {
      device[0] = deviceNumber(major, minor);
      return orError(libc.__xmknodat(0, directory, cString(name), mode, device));
    },
    writeAt: (descriptor, bytes, position) =>
      orError(libc.pwrite(descriptor, bytes, bytes.length, position)),
    setSize: (descriptor, size) => orError(libc.ftruncate(descriptor, size)),
    setMode: (descriptor, mode) => orError(libc.fchmod(descriptor, mode)),
    setOwner: (descriptor, uid, gid) => orError(libc.fchown(descriptor, uid, gid)),
    setModeOf: (directory, name, mode) => orError(libc.fchmodat(directory, cString(name), mode, 0)),
    setTime: (descriptor, seconds) => orError(libc.futimens(descriptor, timesOf(seconds))),
    setTimeOf: (directory, name, seconds) =>
      orError(
        libc.utimensat(directory, cString(name), timesOf(seconds), AT_SYMLINK_NOFOLLOW),
      ),
    setXattr: (descriptor, name, value) =>
      // Not every runtime makes a pointer of an empty array.
      orError(
        libc.fsetxattr(
          descriptor,
          cString(name),
          value.length === 0 ? new Uint8Array(1) : value,
          value.length,
          0,
        ),
      ),
    rename: (fromDirectory, from, directory, to) =>
      orError(libc.renameat(fromDirectory, cString(from), directory, cString(to))),
    removeFile: (directory, name) => orError(libc.unlinkat(directory, cString(name), 0)),
    removeDirectory: (directory, name) =>
      orError(libc.unlinkat(directory, cString(name), AT_REMOVEDIR)),
    close: (descriptor) => void libc.close(descriptor),
  };
}

/** As the kernel packs it into 64 bits (makedev(3)). */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (low & 0xffn) | (high & 0xfffn) << 8n | (low & ~0xffn) << 12n | (high & ~0xfffn) << 32n;
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, "latin1");
}

/**
 * Changes to files relative to an open directory, which the runtimes do not offer: with them no symbolic
 * link can lead a change to another place. Names and results are those of `NativeFiles`.
 */

import { Buffer } from "node:buffer";
import { loadLibc } from "../libc.ts";

export interface NativeChanges {
  /** As openat(2); no child inherits the descriptor. `mode` counts only where a file is made. */
  open(directory: number, name: string, flags: number, mode?: number): number;
  makeDirectory(directory: number, name: string, mode: number): number;
  makeLink(directory: number, name: string, target: string): number;
  /** Makes one more name for a file, and does not follow a symbolic link. */
  makeHardLink(fromDirectory: number, from: string, directory: number, name: string): number;
  /** Makes a pipe with a name or, for root, a device. `mode` has the type too. */
  makeNode(directory: number, name: string, mode: number, major: number, minor: number): number;
  rename(fromDirectory: number, from: string, directory: number, to: string): number;
  /** Removes anything but a directory. */
  remove(directory: number, name: string): number;
  /** Removes an empty directory. */
  removeDirectory(directory: number, name: string): number;
  setMode(descriptor: number, mode: number): number;
  /** Sets the mode of a name that is no symbolic link: one would be followed. */
  setModeOf(directory: number, name: string, mode: number): number;
  setOwner(descriptor: number, uid: number, gid: number): number;
  setSize(descriptor: number, size: number): number;
  /** Sets both times of an open file, in seconds since 1970. */
  setTime(descriptor: number, seconds: number): number;
  /** Sets both times of a name itself, also of a symbolic link. */
  setTimeOf(directory: number, name: string, seconds: number): number;
  setXattr(descriptor: number, name: string, value: Uint8Array): number;
  /** Writes some of `bytes`. */
  write(descriptor: number, bytes: Uint8Array): number;
  /** Writes some of `bytes` at this place of the file. */
  writeAt(descriptor: number, bytes: Uint8Array, position: number): number;
  /** Runs `make` while new files get exactly the permissions that are asked for. */
  withoutMask<T>(make: () => T): T;
}

const EIO = 5;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
/** Two of `struct timespec`, each with seconds and nanoseconds. */
const TIMES_SIZE = 32;

const SIGNATURES = {
  openat: { args: ["i32", "buffer", "i32", "u32"], result: "i32" },
  mkdirat: { args: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { args: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { args: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  // glibc has the function without underscores only since 2.33.
  __xmknodat: { args: ["i32", "i32", "buffer", "u32", "buffer"], result: "i32" },
  renameat: { args: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { args: ["i32", "buffer", "i32"], result: "i32" },
  fchmod: { args: ["i32", "u32"], result: "i32" },
  fchmodat: { args: ["i32", "buffer", "u32", "i32"], result: "i32" },
  fchown: { args: ["i32", "u32", "u32"], result: "i32" },
  ftruncate: { args: ["i32", "usize"], result: "i32" },
  futimens: { args: ["i32", "buffer"], result: "i32" },
  utimensat: { args: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  fsetxattr: { args: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  write: { args: ["i32", "buffer", "usize"], result: "isize" },
  pwrite: { args: ["i32", "buffer", "usize", "usize"], result: "isize" },
  umask: { args: ["u32"], result: "i32" },
  __errno_location: { args: [], result: "isize" },
  memcpy: { args: ["buffer", "usize", "usize"], result: "isize" },
} as const;

let loaded: Promise<NativeChanges> | undefined;

/** Loads libc through the running runtime, once in each thread that calls this. */
export function nativeChanges(): Promise<NativeChanges> {
  return loaded ??= load();
}

async function load(): Promise<NativeChanges> {
  const libc = await loadLibc(SIGNATURES);
  const errno = new Int32Array(1);
  const orError = (result: number) => {
    if (result >= 0) return result;
    libc.memcpy(errno, libc.__errno_location(), errno.byteLength);
    return -(errno[0]! || EIO);
  };
  return {
    open: (directory, name, flags, mode = 0) =>
      orError(libc.openat(directory, cString(name), flags | O_CLOEXEC, mode)),
    makeDirectory: (directory, name, mode) => orError(libc.mkdirat(directory, cString(name), mode)),
    makeLink: (directory, name, target) =>
      orError(libc.symlinkat(cString(target), directory, cString(name))),
    makeHardLink: (fromDirectory, from, directory, name) =>
      orError(libc.linkat(fromDirectory, cString(from), directory, cString(name), 0)),
    makeNode: (directory, name, mode, major, minor) =>
      orError(libc.__xmknodat(0, directory, cString(name), mode, deviceNumber(major, minor))),
    rename: (fromDirectory, from, directory, to) =>
      orError(libc.renameat(fromDirectory, cString(from), directory, cString(to))),
    remove: (directory, name) => orError(libc.unlinkat(directory, cString(name), 0)),
    removeDirectory: (directory, name) =>
      orError(libc.unlinkat(directory, cString(name), AT_REMOVEDIR)),
    setMode: (descriptor, mode) => orError(libc.fchmod(descriptor, mode)),
    setModeOf: (directory, name, mode) => orError(libc.fchmodat(directory, cString(name), mode, 0)),
    setOwner: (descriptor, uid, gid) => orError(libc.fchown(descriptor, uid, gid)),
    setSize: (descriptor, size) => orError(libc.ftruncate(descriptor, size)),
    setTime: (descriptor, seconds) => orError(libc.futimens(descriptor, bothTimes(seconds))),
    setTimeOf: (directory, name, seconds) =>
      orError(
        libc.utimensat(directory, cString(name), bothTimes(seconds), AT_SYMLINK_NOFOLLOW),
      ),
    setXattr: (descriptor, name, value) =>
      orError(
        libc.fsetxattr(descriptor, cString(name), addressable(value), value.length, 0),
      ),
    write: (descriptor, bytes) => orError(libc.write(descriptor, bytes, bytes.length)),
    writeAt: (descriptor, bytes, position) =>
      orError(libc.pwrite(descriptor, bytes, bytes.length, position)),
    withoutMask(make) {
      const before = libc.umask(0);
      try {
        return make();
      } finally {
        libc.umask(before);
      }
    },
  };
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, "latin1");
}

/** The kernel's `dev_t` in the 64 bits of glibc's (makedev(3)). */
function deviceNumber(major: number, minor: number): BigUint64Array {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return BigUint64Array.of(
    (low & 0xffn) | (high & 0xfffn) << 8n | (low & ~0xffn) << 12n | (high & ~0xfffn) << 32n,
  );
}

function bothTimes(seconds: number): BigInt64Array {
  const times = new BigInt64Array(TIMES_SIZE / 8);
  times[0] = times[2] = BigInt(seconds);
  return times;
}

/** Not every runtime makes a pointer of an empty array. */
function addressable(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? new Uint8Array(1) : bytes;
}

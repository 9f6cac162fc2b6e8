/**
 * Changes to files relative to an open directory, which the runtimes do not offer. Names and results
 * are those of `NativeFiles`.
 */

import { Buffer } from "node:buffer";
import { loadLibc } from "../libc.ts";

export interface NativeChanges {
  /** As openat(2); no child inherits the descriptor. `mode` counts only where a file is made. */
  open(directory: number, name: string, flags: number, mode?: number): number;
  makeDirectory(directory: number, name: string, mode: number): number;
  makeLink(directory: number, name: string, target: string): number;
  rename(directory: number, from: string, to: string): number;
  /** Removes anything but a directory. */
  remove(directory: number, name: string): number;
  setMode(descriptor: number, mode: number): number;
  /** Writes some of `bytes`. */
  write(descriptor: number, bytes: Uint8Array): number;
  /** Runs `make` while new files get exactly the permissions that are asked for. */
  withoutMask<T>(make: () => T): T;
}

const EIO = 5;
const O_CLOEXEC = 0o2000000;

const SIGNATURES = {
  openat: { args: ["i32", "buffer", "i32", "u32"], result: "i32" },
  mkdirat: { args: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { args: ["buffer", "i32", "buffer"], result: "i32" },
  renameat: { args: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { args: ["i32", "buffer", "i32"], result: "i32" },
  fchmod: { args: ["i32", "u32"], result: "i32" },
  write: { args: ["i32", "buffer", "usize"], result: "isize" },
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
    rename: (directory, from, to) =>
      orError(libc.renameat(directory, cString(from), directory, cString(to))),
    remove: (directory, name) => orError(libc.unlinkat(directory, cString(name), 0)),
    setMode: (descriptor, mode) => orError(libc.fchmod(descriptor, mode)),
    write: (descriptor, bytes) => orError(libc.write(descriptor, bytes, bytes.length)),
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

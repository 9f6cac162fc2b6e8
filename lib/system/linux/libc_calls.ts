/** libc's functions that containers need, and how to hand them text, arrays and structures. */

import { Buffer } from "node:buffer";
import { libcCalls } from "../libc.ts";
import { SystemError } from "./system_error.ts";

/** Addresses are numbers. `memmove` copies out of libc's memory, and `memcpy` into it. */
const SIGNATURES = {
  __errno_location: { args: [], result: "isize" },
  malloc: { args: ["usize"], result: "isize" },
  memcpy: { args: ["usize", "buffer", "usize"], result: "isize" },
  memmove: { args: ["buffer", "usize", "usize"], result: "isize" },
  mount: { args: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  umount2: { args: ["buffer", "i32"], result: "i32" },
  statfs: { args: ["buffer", "buffer"], result: "i32" },
  chroot: { args: ["buffer"], result: "i32" },
  chdir: { args: ["buffer"], result: "i32" },
  fchdir: { args: ["i32"], result: "i32" },
  open: { args: ["buffer", "i32", "i32"], result: "i32" },
  flock: { args: ["i32", "i32"], result: "i32" },
  close: { args: ["i32"], result: "i32" },
  fcntl: { args: ["i32", "i32", "usize"], result: "i32" },
  write: { args: ["i32", "buffer", "usize"], result: "isize" },
  pipe2: { args: ["buffer", "i32"], result: "i32" },
  unshare: { args: ["i32"], result: "i32" },
  socket: { args: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { args: ["i32", "usize", "buffer"], result: "i32" },
  prctl: { args: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  capset: { args: ["buffer", "buffer"], result: "i32" },
  setrlimit: { args: ["i32", "buffer"], result: "i32" },
  signal: { args: ["i32", "usize"], result: "isize" },
  syscall: { args: ["usize", "usize", "usize", "usize", "usize"], result: "isize" },
  execve: { args: ["buffer", "usize", "usize"], result: "i32" },
  posix_spawn: { args: ["buffer", "buffer", "buffer", "usize", "usize", "usize"], result: "i32" },
  posix_spawn_file_actions_init: { args: ["buffer"], result: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["buffer", "i32", "i32"], result: "i32" },
  posix_spawn_file_actions_addclose: { args: ["buffer", "i32"], result: "i32" },
  waitpid: { args: ["i32", "buffer", "i32"], result: "i32" },
} as const;

type LibcCalls = ReturnType<typeof load>;

let loaded: LibcCalls | undefined;

/** Loads libc at the first call. */
export function libc(): LibcCalls {
  return loaded ??= load();
}

function load() {
  return libcCalls(SIGNATURES);
}

/** Gives the result of a call; throws {@link SystemError} for one below 0. */
export function check(result: number, call: string): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** The error of this thread's last call that failed. */
function errno(): number {
  const value = new Int32Array(1);
  libc().memmove(value, libc().__errno_location(), value.byteLength);
  return value[0]!;
}

/** Text with a NUL behind it. Throws `TypeError` for text that has one inside. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new TypeError("Text for a system call holds a NUL");
  return Buffer.from(`${text}\0`);
}

/** The address of a copy in libc's memory. It is never freed: the process soon becomes another. */
export function copyToLibc(bytes: Uint8Array): number {
  const address = libc().malloc(bytes.length);
  libc().memcpy(address, bytes, bytes.length);
  return address;
}

/** The address of an array of strings that a null pointer ends, as `argv` is. */
export function stringArray(strings: readonly (string | Uint8Array)[]): number {
  const addresses = strings.map((item) =>
    copyToLibc(typeof item === "string" ? cString(item) : Buffer.concat([item, Buffer.alloc(1)]))
  );
  return copyToLibc(new Uint8Array(BigUint64Array.from([...addresses, 0].map(BigInt)).buffer));
}

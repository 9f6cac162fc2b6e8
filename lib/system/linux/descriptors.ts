/** Open descriptors, and which of them another program inherits. */

import fs from "node:fs";
import os from "node:os";
import { check, copyToLibc, cString, libc } from "./libc_calls.ts";

export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
export const O_DIRECTORY = os.arch() === "arm64" ? 0o40000 : 0o200000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const MEMFD_CREATE = os.arch() === "arm64" ? 279 : 319;
const MFD_CLOEXEC = 1;
/** Since Linux 6.3. Without it a system's setting may forbid to run the file. */
const MFD_EXEC = 0x10;

/** open(2). The runtimes' own functions do not take all flags. */
export function openDescriptor(path: string, flags: number): number {
  return check(libc().open(cString(path), flags | O_CLOEXEC, 0), `open ${path}`);
}

/** Holds a directory without reading it. */
export function openPath(path: string): number {
  return openDescriptor(path, O_PATH | O_DIRECTORY);
}

/** A pipe that no program inherits (pipe2(2)). */
export function openPipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const pair = new Int32Array(2);
  check(libc().pipe2(pair, O_CLOEXEC), "pipe");
  return { readEnd: pair[0]!, writeEnd: pair[1]! };
}

/** Writes all of the bytes. */
export function writeDescriptor(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const rest = bytes.subarray(at);
    at += check(libc().write(descriptor, rest, rest.length), "write");
  }
}

export function closeDescriptor(descriptor: number): void {
  libc().close(descriptor);
}

/** Lets the program that this one becomes inherit a descriptor, or not. */
export function setInherited(descriptor: number, inherited: boolean): void {
  check(libc().fcntl(descriptor, F_SETFD, inherited ? 0 : FD_CLOEXEC), "fcntl F_SETFD");
}

/** What only a runtime opens for itself. */
const EVENTS = /^anon_inode:\[(?:event|timer|signal|io_uring)/;
const CLOSES_ON_EXEC = /^flags:\s*[0-7]*[2367][0-7]{6}$/m;

/**
 * Descriptors besides the standard ones that this process was started with. It has to be called
 * before the process opens files of its own. Bun marks all descriptors as its own at the start, and
 * Deno leaves the marks as they were.
 */
export function inheritedDescriptors(): number[] {
  const marks = "Deno" in globalThis;
  return fs.readdirSync("/proc/self/fd").map(Number).filter((descriptor) => {
    try {
      if (descriptor <= 2) return false;
      if (marks) {
        return !CLOSES_ON_EXEC.test(fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"));
      }
      return !EVENTS.test(fs.readlinkSync(`/proc/self/fd/${descriptor}`));
    } catch {
      // The listing's own.
      return false;
    }
  });
}

/** Keeps every descriptor but the standard ones from programs that start later. */
export function inheritOnlyStandard(): void {
  for (const name of fs.readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    // One of them is the listing's own, and closed by now.
    if (descriptor > 2) libc().fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
}

/**
 * A file in memory with this content (memfd_create(2), since Linux 3.17), which no program inherits.
 * It goes when it is closed. Throws {@link SystemError}.
 */
export function memoryDescriptor(name: string, content: Uint8Array): number {
  const title = copyToLibc(cString(name));
  // glibc has a function for it only since 2.27.
  const create = (flags: number) => libc().syscall(MEMFD_CREATE, title, flags, 0, 0);
  let descriptor = create(MFD_CLOEXEC | MFD_EXEC);
  if (descriptor < 0) descriptor = check(create(MFD_CLOEXEC), "memfd_create");
  try {
    writeDescriptor(descriptor, content);
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
  return descriptor;
}

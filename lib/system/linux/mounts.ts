/** Mounts: mount(2), umount2(2), statfs(2) and pivot_root(2). */

import os from "node:os";
import { libcCalls } from "../libc.ts";
import { check, copyToLibc, cString, libc } from "./libc_calls.ts";
import { hasErrno } from "./system_error.ts";
import { openPath } from "./descriptors.ts";

/** Flags of mount(2). */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  MANDLOCK: 64,
  DIRSYNC: 128,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  SILENT: 32768,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

const MNT_DETACH = 2;
const PIVOT_ROOT = os.arch() === "arm64" ? 41 : 155;
const MOUNT_SETATTR = 442;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 1n;
/** The offset of `f_flags` in `struct statfs`, in words of 8 bytes. */
const STATFS_FLAGS = 10;
/** What statfs(2) says of a mount, and mount(2)'s flag for the same. */
const KEPT_FLAGS = [
  [1, MS.RDONLY],
  [2, MS.NOSUID],
  [4, MS.NODEV],
  [8, MS.NOEXEC],
  [1024, MS.NOATIME],
  [2048, MS.NODIRATIME],
  [4096, MS.RELATIME],
] as const;

/** mount(2). All functions here throw {@link SystemError}. */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  data = "",
): void {
  check(
    libc().mount(cString(source), cString(target), cString(type), flags, cString(data)),
    `mount ${source} on ${target}`,
  );
}

/** Changes how mounts spread to and from a mount: one of MS.SHARED, SLAVE, PRIVATE, UNBINDABLE. */
export function setPropagation(target: string, flags: number): void {
  mount("none", target, "none", flags);
}

/** Takes the mount away from the tree at once, and ends it when nothing uses it. */
export function detach(target: string): void {
  check(libc().umount2(cString(target), MNT_DETACH), `unmount ${target}`);
}

/**
 * The flags that the mount of `path` has, for mount(2). A remount has to name those again that the
 * kernel does not let a user namespace take away.
 */
export function mountFlags(path: string): number {
  const status = new BigInt64Array(15);
  check(libc().statfs(cString(path), status), `statfs ${path}`);
  const bits = Number(status[STATFS_FLAGS]);
  return KEPT_FLAGS.reduce((flags, [bit, flag]) => (bits & bit ? flags | flag : flags), 0);
}

/** Adds `flags` to those of the mount at `path`. */
export function remount(path: string, flags: number): void {
  mount("none", path, "none", MS.BIND | MS.REMOUNT | flags | mountFlags(path));
}

/** chdir(2), without the looks at the path that the runtimes take. */
export function changeDirectory(path: string): void {
  check(libc().chdir(cString(path)), `chdir ${path}`);
}

/**
 * Makes the mount at `target` and all mounts below it read-only: mount_setattr(2), since Linux 5.12.
 * False where the kernel does not know the call.
 */
export function makeReadOnlyBelow(target: string): boolean {
  const attributes = BigUint64Array.of(MOUNT_ATTR_RDONLY, 0n, 0n, 0n);
  const address = copyToLibc(new Uint8Array(attributes.buffer));
  try {
    setAttributes(target, address, attributes.byteLength);
    return true;
  } catch (error) {
    // EPERM is the answer of a container engine's filter around this process.
    if (hasErrno(error, "ENOSYS", "EPERM")) return false;
    throw error;
  }
}

let setAttributesCall: ReturnType<typeof loadSetAttributes> | undefined;

function setAttributes(target: string, address: number, size: number): void {
  const { syscall } = setAttributesCall ??= loadSetAttributes();
  const path = cString(target);
  check(syscall(MOUNT_SETATTR, 0, path, AT_RECURSIVE, address, size), `mount_setattr ${target}`);
}

/** `syscall` in a shape of its own: a path and more arguments than the other calls have. */
function loadSetAttributes() {
  const args = ["usize", "usize", "buffer", "usize", "usize", "usize"] as const;
  return libcCalls({ syscall: { args, result: "isize" } });
}

/**
 * Makes the mount at `root` the root of this mount namespace, and takes the old one away, as
 * pivot_root(2) describes it. The current directory becomes `/`.
 */
export function switchRoot(root: string): void {
  const oldRoot = openPath("/");
  const newRoot = openPath(root);
  check(libc().fchdir(newRoot), `chdir ${root}`);
  const here = copyToLibc(cString("."));
  try {
    check(libc().syscall(PIVOT_ROOT, here, here, 0, 0), `pivot_root ${root}`);
    check(libc().fchdir(oldRoot), "chdir to the old root");
    setPropagation(".", MS.SLAVE | MS.REC);
    check(libc().umount2(cString("."), MNT_DETACH), "unmount the old root");
  } catch (error) {
    // An initial ramdisk is a root that cannot be moved.
    if (!hasErrno(error, "EINVAL")) throw error;
    mount(".", "/", "none", MS.MOVE);
  }
  check(libc().fchdir(newRoot), "chdir to the new root");
  check(libc().chroot(cString(".")), "chroot");
  for (const descriptor of [oldRoot, newRoot]) libc().close(descriptor);
}

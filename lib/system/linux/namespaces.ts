/** Namespaces: their flags, and what a new one needs. */

import { check, libc } from "./libc_calls.ts";

/** Flags of clone(2), unshare(2) and setns(2). */
export const CLONE = {
  mount: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
} as const;

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** `struct ifreq`: a name, and from here on the flags. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;

/** Gives this thread a cgroup namespace of its own, where the kernel has them (since 4.6). */
export function unshareCgroups(): void {
  libc().unshare(CLONE.cgroup);
}

/** A new network namespace has a loopback, but it is down. Throws {@link SystemError}. */
export function raiseLoopback(): void {
  const socket = check(libc().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), "socket");
  const request = new DataView(new ArrayBuffer(IFREQ_SIZE));
  const bytes = new Uint8Array(request.buffer);
  bytes.set(new TextEncoder().encode("lo"));
  check(libc().ioctl(socket, SIOCGIFFLAGS, bytes), "read the loopback's flags");
  request.setUint16(IFREQ_FLAGS, request.getUint16(IFREQ_FLAGS, true) | IFF_UP, true);
  check(libc().ioctl(socket, SIOCSIFFLAGS, bytes), "raise the loopback");
  libc().close(socket);
}

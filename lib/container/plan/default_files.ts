/**
 * The mounts and variables of every container, which enroot's package installs as files. They are
 * built in; a site's file of the same name replaces each of them.
 */

import type { NamedText } from "./configuration.ts";

/** The host's kernel file systems, and directories in memory. */
const SYSTEM = `\
/proc /proc none x-create=dir,rbind,rw,nosuid,nodev,noexec,rslave 0 -1
/sys /sys none x-create=dir,rbind,ro,nosuid,nodev,noexec,rslave 0 -1
/dev /dev none x-create=dir,rbind,rw,nosuid,noexec,rslave 0 -1
tmpfs /tmp tmpfs x-create=dir,rw,nosuid,nodev,mode=755,slave 0 -1
tmpfs /var/run tmpfs x-create=dir,rw,nosuid,nodev,mode=755,slave 0 -1
tmpfs /var/lock tmpfs x-create=dir,rw,nosuid,nodev,mode=755,slave 0 -1
/dev/shm /dev/shm none x-create=dir,bind,rw,nosuid,nodev,noexec,rslave,nofail,silent 0 -1
`;

/** What makes names and the network work as on the host, which may be a bare one without them. */
const CONFIG = `\
/etc/hosts /etc/hosts none x-create=file,bind,ro,nosuid,nodev,noexec,private,nofail,silent 0 -1
/etc/hostname /etc/hostname none x-create=file,bind,ro,nosuid,nodev,noexec,private,nofail,silent 0 -1
/etc/resolv.conf /etc/resolv.conf none x-create=file,bind,ro,nosuid,nodev,noexec,private,nofail,silent 0 -1
/etc/machine-id /etc/machine-id none x-create=file,bind,ro,nosuid,nodev,noexec,private,nofail,silent 0 -1
`;

export const DEFAULT_MOUNTS: readonly NamedText[] = [
  { name: "10-system.fstab", text: SYSTEM },
  { name: "20-config.fstab", text: CONFIG },
];

export const DEFAULT_ENVIRONMENT: readonly NamedText[] = [
  { name: "10-terminal.env", text: "TERM=${TERM}\n" },
];

/** A container with process ids of its own needs a /proc that shows them. */
export const PID_MOUNTS = `\
none /proc none x-create=dir,x-detach,nofail,silent 0 -1
proc /proc proc x-create=dir,rw,nosuid,nodev,noexec,private 0 -1
`;

/** A container with a network of its own needs a /sys that shows it. */
export const NET_MOUNTS = `\
none /sys none x-create=dir,x-detach,nofail,silent 0 -1
sysfs /sys sysfs x-create=dir,ro,nosuid,nodev,noexec,private 0 -1
`;

/** `10-devices.sh`: a `/dev` of the container's own, with the harmless devices alone. */

import { realpathSync } from "node:fs";
import { isatty } from "node:tty";
import type { BuiltInHook, MountLine } from "../../types/container.ts";
import { mountLine } from "./mount_line.ts";

const STDIN = 0;
const DEVICE = ["x-create=file", "bind", "rw", "nosuid", "noexec", "private"];
const SHARED = ["x-create=dir", "bind", "rw", "nosuid", "noexec", "nodev", "rslave"];
const UNLESS_MISSING = ["nofail", "silent"];

const LINKS: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["ptmx", "/dev/pts/ptmx"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

export const devicesHook: BuiltInHook = {
  name: "10-devices.sh",
  summary: "Gives the container a /dev of its own with the harmless devices alone.",
  when: "ENROOT_RESTRICT_DEV is set, or the container has shared memory of its own (--ipc)",
  reason({ settings, namespaces }) {
    if (settings.restrictDev) return "ENROOT_RESTRICT_DEV is set";
    return namespaces.ipc ? "the container has shared memory of its own" : undefined;
  },
  run(context) {
    const terminal = isatty(STDIN) ? realpathSync("/proc/self/fd/0") : undefined;
    for (const line of deviceMounts(context.namespaces.ipc, terminal)) context.mount(line);
    for (const [name, target] of LINKS) context.root.makeLink(`/dev/${name}`, target);
  },
};

/**
 * The mounts below `/dev`, in their order. `terminal` is the device of standard input, which becomes
 * the console. The host's `/dev/log` is optional: many nodes have none.
 */
export function deviceMounts(ownIpc: boolean, terminal: string | undefined): readonly MountLine[] {
  const devices = ["zero", "null", "full", "urandom", "random"].map((name) => `/dev/${name}`);
  return [
    detach("/dev"),
    mountLine(
      "tmpfs",
      "/dev",
      ["x-create=dir", "rw", "nosuid", "noexec", "mode=755", "slave"],
      "tmpfs",
    ),
    ...devices.map((path) => mountLine(path, path, DEVICE)),
    mountLine("devpts", "/dev/pts", [
      ...["x-create=dir", "rw", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=620"],
      "slave",
    ], "devpts"),
    mountLine("/dev/tty", "/dev/tty", DEVICE),
    ...(ownIpc ? ownSharedMemory() : hostSharedMemory()),
    mountLine("/dev/hugepages", "/dev/hugepages", [...SHARED, ...UNLESS_MISSING]),
    mountLine("/dev/log", "/dev/log", [...DEVICE, "nodev", ...UNLESS_MISSING]),
    ...(terminal === undefined ? [] : [mountLine(terminal, "/dev/console", DEVICE)]),
  ];
}

function ownSharedMemory(): readonly MountLine[] {
  const options = ["x-create=dir", "rw", "nosuid", "noexec", "nodev"];
  return [
    mountLine("tmpfs", "/dev/shm", [...options, "mode=1777", "private"], "tmpfs"),
    mountLine("mqueue", "/dev/mqueue", [...options, "private", ...UNLESS_MISSING], "mqueue"),
  ];
}

function hostSharedMemory(): readonly MountLine[] {
  return [
    mountLine("/dev/shm", "/dev/shm", SHARED),
    mountLine("/dev/mqueue", "/dev/mqueue", [...SHARED, ...UNLESS_MISSING]),
  ];
}

function detach(target: string): MountLine {
  return mountLine("none", target, ["x-detach", ...UNLESS_MISSING]);
}

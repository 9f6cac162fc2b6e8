/** `10-cgroups.sh`: the container sees its own control groups alone, and cannot change them. */

import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { type Mount, readMounts } from "../../system/host/mount_table.ts";
import type { BuiltInHook, MountLine } from "../../types/container.ts";
import { mountLine } from "./mount_line.ts";

const MOUNT_POINT = "/sys/fs/cgroup";
const OPTIONS = ["x-create=dir", "rbind", "nosuid", "noexec", "nodev", "ro"];

export const cgroupsHook: BuiltInHook = {
  name: "10-cgroups.sh",
  summary: "Shows the container its own control groups alone, read-only.",
  when: "the host has control groups",
  reason: () => existsSync(MOUNT_POINT) ? "the host has control groups" : undefined,
  run(context) {
    const groups = readFileSync("/proc/self/cgroup", "utf8");
    const mounts = readMounts(readFileSync("/proc/self/mountinfo", "utf8"));
    // All tasks of a step share the step's group; below it, each task has one.
    const above = Boolean(context.environment["SLURM_STEP_ID"]);
    for (const line of cgroupMounts(groups, mounts, { above, freshSys: context.namespaces.net })) {
      context.mountLater(line);
    }
  },
};

interface CgroupSituation {
  /** Whether the container sees the group above its own. */
  readonly above: boolean;
  /** Whether `/sys` is a new one, in which no directories can be made. */
  readonly freshSys: boolean;
}

/** `groups` is the content of `/proc/PID/cgroup` (cgroups(7)). */
export function cgroupMounts(
  groups: string,
  mounts: readonly Mount[],
  { above, freshSys }: CgroupSituation,
): readonly MountLine[] {
  const binds = new Map<string, MountLine>();
  for (const [, controllers, path] of groups.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    // The first one: those of the container's own root come later.
    const mount = mounts.find((mount) => hasControllers(mount, controllers!));
    const source = mount && sourceOf(mount, path!, above);
    if (source !== undefined && !binds.has(mount!.path)) {
      binds.set(mount!.path, mountLine(source, mount!.path, OPTIONS));
    }
  }
  if (binds.size === 0) return [];
  const hierarchies = freshSys && !binds.has(MOUNT_POINT)
    ? [mountLine("tmpfs", MOUNT_POINT, ["nosuid", "noexec", "nodev", "mode=755"], "tmpfs")]
    : [];
  const options = ["rbind", "remount", "nosuid", "noexec", "nodev", "ro", "rslave"];
  return [
    ...hierarchies,
    ...binds.values(),
    mountLine("none", MOUNT_POINT, [...options, "nofail", "silent"]),
  ];
}

/** Version 2 has one hierarchy, whose line names no controllers. */
function hasControllers(mount: Mount, controllers: string): boolean {
  if (controllers === "") return mount.type === "cgroup2";
  return mount.type === "cgroup" &&
    controllers.split(",").every((name) => mount.superOptions.includes(name));
}

/** Undefined for a group that the mount does not show. */
function sourceOf(mount: Mount, path: string, above: boolean): string | undefined {
  const group = posix.normalize(above ? posix.join(path, "..") : path);
  const relative = posix.relative(mount.root, group);
  if (path.includes("..") || relative.split("/")[0] === "..") return undefined;
  return posix.join(mount.path, relative);
}

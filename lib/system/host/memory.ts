/** How much memory this process can still take. */

import type { SystemFiles } from "./system_files.ts";

interface AvailableMemory {
  readonly bytes: number;
  /** What limits it. */
  readonly limitedBy: "machine" | "control group";
}

/** What the machine and the control group leave, whichever is less; undefined if unknown. */
export function availableMemory(files: SystemFiles): AvailableMemory | undefined {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(files.read("/proc/meminfo") ?? "")?.[1];
  const machine = kilobytes === undefined ? Infinity : Number(kilobytes) * 1024;
  const group = Math.min(...roomInGroups(files));
  const bytes = Math.min(machine, group);
  if (bytes === Infinity) return undefined;
  return { bytes, limitedBy: group < machine ? "control group" : "machine" };
}

/** What the limits of this process's control group and of all groups above it leave, in bytes. */
function roomInGroups(files: SystemFiles): readonly number[] {
  const groups = files.read("/proc/self/cgroup") ?? "";
  const version2 = /^0::(\/.*)$/m.exec(groups)?.[1];
  const version1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  return [
    ...upwards("/sys/fs/cgroup", version2)
      .map((path) => room(files, `${path}/memory.max`, `${path}/memory.current`)),
    ...upwards("/sys/fs/cgroup/memory", version1).map((path) =>
      room(files, `${path}/memory.limit_in_bytes`, `${path}/memory.usage_in_bytes`)
    ),
  ];
}

/** The directories of a group and of all groups above it. */
function upwards(base: string, group: string | undefined): string[] {
  if (group === undefined) return [];
  const parts = group.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `${base}/${parts.slice(0, index + 1).join("/")}`).concat(base);
}

/** Infinite without a limit. */
function room(files: SystemFiles, limitFile: string, usageFile: string): number {
  const limit = Number(files.read(limitFile) || NaN);
  // Version 1 writes the largest multiple of a page for "no limit".
  if (!Number.isFinite(limit) || limit > 2 ** 60) return Infinity;
  return Math.max(0, limit - Number(files.read(usageFile) ?? 0));
}

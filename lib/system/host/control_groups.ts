/** The limits of this process's control group and of all groups above it. */

import type { SystemFiles } from "./system_files.ts";

export interface GroupLimit {
  readonly limit: number;
  readonly used: number;
}

/** The files of version 2 and version 1: the limit, and how much is used. */
const FILES = {
  memory: [["memory.max", "memory.current"], ["memory.limit_in_bytes", "memory.usage_in_bytes"]],
  pids: [["pids.max", "pids.current"], ["pids.max", "pids.current"]],
} as const;

export type Controller = keyof typeof FILES;

/** The limit that leaves the least, in bytes or a count; undefined without one. */
export function tightestGroupLimit(
  files: SystemFiles,
  controller: Controller,
): GroupLimit | undefined {
  const groups = files.read("/proc/self/cgroup") ?? "";
  const version2 = /^0::(\/.*)$/m.exec(groups)?.[1];
  const version1 = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(\\/.*)$`, "m")
    .exec(groups)?.[1];
  const [names2, names1] = FILES[controller];
  return [
    ...upwards("/sys/fs/cgroup", version2).map((path) => readLimit(files, path, names2)),
    ...upwards(`/sys/fs/cgroup/${controller}`, version1)
      .map((path) => readLimit(files, path, names1)),
  ]
    .filter((found) => found !== undefined)
    .sort((one, other) => roomIn(one) - roomIn(other))[0];
}

export function roomIn({ limit, used }: GroupLimit): number {
  return Math.max(0, limit - used);
}

/** The directories of a group and of all groups above it. */
function upwards(base: string, group: string | undefined): string[] {
  if (group === undefined) return [];
  const parts = group.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `${base}/${parts.slice(0, index + 1).join("/")}`).concat(base);
}

function readLimit(
  files: SystemFiles,
  directory: string,
  [limitFile, usageFile]: readonly [string, string],
): GroupLimit | undefined {
  const limit = Number(files.read(`${directory}/${limitFile}`) || NaN);
  // Version 1 writes the largest multiple of a page for "no limit".
  if (!Number.isFinite(limit) || limit > 2 ** 60) return undefined;
  return { limit, used: Number(files.read(`${directory}/${usageFile}`) ?? 0) };
}

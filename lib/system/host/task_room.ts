/** How many more processes and threads this user may start here: `ulimit -u` and `pids.max`. */

import fs from "node:fs";
import process from "node:process";
import { roomIn, tightestGroupLimit } from "./control_groups.ts";
import { limitText, readLimits } from "./limits.ts";
import { type SystemFiles, systemFiles } from "./system_files.ts";

export interface TaskRoom {
  readonly left: number;
  /** The limit and how much of it is used, for people. */
  readonly text: string;
}

/** With less, its own included, Bun crashes or waits for ever while it loads a command. */
export const LEAST_TASKS = 6;
/** With a higher limit nothing is counted: to look at all processes of a login node takes time. */
const MOST_COUNTED = 1024;

/**
 * The limit that leaves the least; undefined without one. Root has only that of the control group.
 * `count` gives how many processes and threads a user has.
 */
export function taskRoom(
  files: SystemFiles = systemFiles,
  uid: number = process.getuid!(),
  count: (uid: number) => number = countTasks,
): TaskRoom | undefined {
  const rooms: TaskRoom[] = [];
  const most = readLimits(files).get("u") ?? Infinity;
  if (uid !== 0 && most <= MOST_COUNTED) {
    const used = count(uid);
    const text = `${limitText("u", most)}, and ${used} of them are in use`;
    rooms.push({ left: Math.max(0, most - used), text });
  }
  const group = tightestGroupLimit(files, "pids");
  if (group !== undefined) {
    const text = `tasks in the control group: ${group.limit} (pids.max), and ${group.used} of ` +
      "them are in use";
    rooms.push({ left: roomIn(group), text });
  }
  return rooms.sort((one, other) => one.left - other.left)[0];
}

/** The threads of this process. */
export function ownTasks(files: SystemFiles = systemFiles): number {
  return threadsIn(files.read("/proc/self/status") ?? "");
}

/** Counts what this user can see: the own processes are always among that. */
function countTasks(uid: number): number {
  const own = new RegExp(`^Uid:\\s+${uid}\\s`, "m");
  let tasks = 0;
  for (const name of processNames()) {
    const status = /^\d+$/.test(name) && systemFiles.read(`/proc/${name}/status`);
    if (!status || !own.test(status)) continue;
    tasks += threadsIn(status);
  }
  return tasks;
}

function threadsIn(status: string): number {
  return Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1);
}

function processNames(): string[] {
  try {
    return fs.readdirSync("/proc");
  } catch {
    return [];
  }
}

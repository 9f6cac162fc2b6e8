/** Names for temporary files that tell whether the process that made them still lives. */

import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { DenrootError, messageOf } from "../../errors.ts";

/** `HOST.PID.START.RANDOM`: of this process, and different at each call. */
export function processMark(): string {
  const start = startTime(process.pid) ?? "0";
  return `${hostName()}.${process.pid}.${start}.${randomBytes(4).toString("hex")}`;
}

/**
 * Whether a mark's process is known to have ended. That of another host never is: files may be
 * shared over a network.
 */
export function isMarkStale(mark: string): boolean {
  const match = /^([\w-]+)\.(\d+)\.(\d+)\.[0-9a-f]{8}$/.exec(mark);
  if (match === null || match[1] !== hostName()) return false;
  return startTime(Number(match[2])) !== match[3];
}

/**
 * Removes what killed runs left in a directory: the names in which `markOf` finds a stale mark.
 * What cannot be removed stays: it may be another user's, and is in nobody's way.
 *
 * Throws code `file` when the directory cannot be read.
 */
export function removeStale(directory: string, markOf: (name: string) => string | undefined): void {
  for (const name of namesIn(directory)) {
    const mark = markOf(name);
    if (mark !== undefined && isMarkStale(mark)) removeLeftover(path.join(directory, name));
  }
}

/**
 * Removes a file, or a directory of this user's, if that can be done. Another's directory stays
 * even for root: while it is emptied its owner could lead the way elsewhere.
 */
export function removeLeftover(file: string): void {
  try {
    const status = lstatSync(file);
    if (status.isDirectory() && status.uid !== process.geteuid!()) return;
    rmSync(file, { recursive: true, force: true });
  } catch {
    // Another user's, in a directory that is shared.
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new DenrootError("file", `${directory} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function hostName(): string {
  return os.hostname().replace(/[^\w-]/g, "-").slice(0, 64);
}

/** When the process began, in clock ticks since boot (proc(5), field 22): tells reused ids apart. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

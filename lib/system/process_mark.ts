/** Names for temporary files that tell whether the process that made them still lives. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import os from "node:os";
import process from "node:process";

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

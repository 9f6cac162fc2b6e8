/** Names for temporary files that tell whether the process that made them still lives. */

import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { DenrootError, messageOf } from "../../errors.ts";

/** Which process a mark names. */
interface MarkedProcess {
  readonly host: string;
  readonly pid: number;
  /** When it began, in clock ticks since its host's boot. */
  readonly start: string;
}

/** `HOST.PID.START.RANDOM`: it names this process, and is different at each call. */
export function processMark(): string {
  const start = startTime(process.pid) ?? "0";
  return `${hostName()}.${process.pid}.${start}.${randomBytes(4).toString("hex")}`;
}

/** Returns undefined for a text that is not a mark. */
export function parseMark(mark: string): MarkedProcess | undefined {
  const match = /^([\w-]+)\.(\d+)\.(\d+)\.[0-9a-f]{8}$/.exec(mark);
  return match === null ? undefined : { host: match[1]!, pid: Number(match[2]), start: match[3]! };
}

/**
 * Whether a mark's process is known to have ended. That is never known of a process on another
 * host: directories may be shared over a network.
 */
export function isMarkStale(mark: string): boolean {
  const marked = parseMark(mark);
  if (marked === undefined || marked.host !== hostName()) return false;
  return startTime(marked.pid) !== marked.start;
}

/**
 * Removes what killed runs left in a directory: the names in which `markOf` finds a stale mark.
 * A leftover that cannot be removed stays: it may be another user's, and it does no harm.
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
 * Removes a file, or a directory that belongs to this user, if that can be done. Even root leaves
 * another user's directory alone: while it is emptied, its owner could put a symlink in the way.
 */
export function removeLeftover(file: string): void {
  try {
    const status = lstatSync(file);
    if (status.isDirectory() && status.uid !== process.geteuid!()) return;
    rmSync(file, { recursive: true, force: true });
  } catch {
    // It may be another user's, in a shared directory.
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

/** When the process began, in ticks since boot (proc(5), field 22). It tells reused ids apart. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Names for temporary files that say which process made them, so that others can ask if it lives. */

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import os from "node:os";
import process from "node:process";
import { systemCode } from "../../errors.ts";

/** Which process a mark names. */
interface MarkedProcess {
  readonly host: string;
  readonly pid: number;
  /** When it began, in clock ticks since its host's boot. */
  readonly start: string;
  /** Where its process id counts. Undefined when the mark does not say it. */
  readonly space: string | undefined;
}

/** What can be said of a mark's process: `dead` needs proof. */
export type Life = "alive" | "dead" | "unknown";

/** The space of a process that cannot tell its own: such a mark proves nothing. */
const NO_SPACE = "0";

/** `HOST.PID.START.SPACE.RANDOM`: it names this process, and is different at each call. */
export function processMark(): string {
  const start = statOf("self")?.start ?? "0";
  const random = randomBytes(4).toString("hex");
  return `${hostName()}.${process.pid}.${start}.${ownSpace()}.${random}`;
}

/** Returns undefined for a text that is not a mark. Version 0.1.0 made marks without a space. */
export function parseMark(mark: string): MarkedProcess | undefined {
  const match = /^([\w-]+)\.(\d+)\.(\d+)(?:\.(0|[0-9a-f]{8}))?\.[0-9a-f]{8}$/.exec(mark);
  if (match === null) return undefined;
  const [, host, pid, start, space] = match;
  return { host: host!, pid: Number(pid), start: start!, space };
}

/** What all marks of one process have in common. */
export function processIn(mark: string): string {
  return mark.replace(/\.[0-9a-f]{8}$/, "");
}

/**
 * Whether a mark's process lives, as far as this process can know it.
 *
 * A process id counts only in its PID namespace, during one boot, and a host's name names neither:
 * all containers of a machine may share it, and two machines may have the same. So a mark from
 * another space is `unknown`. In this process's own space the kernel answers kill(2) for processes
 * that `/proc` hides (mount option `hidepid`) too: no such process is the proof of death. So is a
 * process that began at another time, because the id was used again; where `/proc` hides that time,
 * the answer is `unknown`.
 *
 * A lock on the file would tell nothing better. flock(2) counts on one host only with some mounts of
 * NFS and Lustre, which nobody can see; it hangs when the lock daemon does; and another user's file
 * often cannot be opened, so that its lock cannot be tried.
 */
export function lifeOf(mark: string): Life {
  const marked = parseMark(mark);
  const here = ownSpace();
  if (marked === undefined || here === NO_SPACE) return "unknown";
  if (marked.space !== here || marked.host !== hostName()) return "unknown";
  if (!exists(marked.pid)) return "dead";
  const found = showsOwnSpace() ? statOf(marked.pid) : undefined;
  if (found === undefined) return "unknown";
  // A process that ended and that its parent did not ask for yet has closed its files.
  return found.start === marked.start && found.state !== "Z" ? "alive" : "dead";
}

function hostName(): string {
  return os.hostname().replace(/[^\w-]/g, "-").slice(0, 64);
}

/** Ids and start times compare only inside one boot, one PID namespace and one time namespace. */
function ownSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const parts = [boot, readlinkSync("/proc/self/ns/pid"), timeNamespace()];
    return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
  } catch {
    return NO_SPACE;
  }
}

/** Linux has time namespaces since 5.6. */
function timeNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/time");
  } catch {
    return "";
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}

/** A `/proc` that came from outside a PID namespace has other ids for the same processes. */
function showsOwnSpace(): boolean {
  try {
    return /^NSpid:\s+\d+$/m.test(readFileSync("/proc/self/status", "utf8"));
  } catch {
    return false;
  }
}

/** State, and the start in ticks since boot (proc(5), fields 3 and 22); undefined when hidden. */
function statOf(
  pid: number | "self",
): { readonly state: string; readonly start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0]!, start: fields[19]! };
  } catch {
    return undefined;
  }
}

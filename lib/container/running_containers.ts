/**
 * Which containers run. Each has its `/.lock` in its root, so a process belongs to the container
 * whose lock it sees there: the file's device and number say it, whatever its root is made of.
 */

import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../errors.ts";
import { readMounts } from "../system/host/mount_table.ts";
import type { ContainerPlace } from "./container_name.ts";
import { IMAGE_MARKS, LOCK_NAME } from "./lock_name.ts";
import { startTicks } from "./process_facts.ts";
import { onlyWaits } from "./waiting_process.ts";

/** How many processes a message names. */
const SHOWN_PROCESSES = 5;
const POLL_MS = 50;

/**
 * The processes that run, by the names of these containers, and by the paths of image files. A container
 * that does not run has none. Where several processes share a mount namespace only the oldest counts.
 * One that only waits for another counts where there is nothing else.
 */
export function runningHere(places: readonly ContainerPlace[]): {
  readonly containers: ReadonlyMap<string, readonly number[]>;
  readonly images: ReadonlyMap<string, readonly number[]>;
} {
  const names = new Map(places.flatMap(({ name, path: root }) => {
    const lock = identityOf(path.join(root, LOCK_NAME));
    return lock === undefined ? [] : [[lock, name] as const];
  }));
  const containers = new Map<string, number[]>(places.map(({ name }) => [name, []]));
  const images = new Map<string, number[]>();
  for (const processes of byMountNamespace().values()) {
    const seen = processes.flatMap((pid) => {
      // The root of others may be a file system whose server hangs: it is not touched.
      if (!hasLockMount(pid)) return [];
      const name = names.get(identityOf(`/proc/${pid}/root/${LOCK_NAME}`) ?? "");
      const image = name === undefined ? imageOf(pid) : undefined;
      return name === undefined && image === undefined ? [] : [{ pid, name, image }];
    });
    if (seen.length === 0) continue;
    const working = seen.filter(({ pid }) => !onlyWaits(`/proc/${pid}`));
    const { pid, name, image } = oldest(working.length > 0 ? working : seen, startTicks);
    if (name !== undefined) containers.get(name)!.push(pid);
    else images.set(image!, [...images.get(image!) ?? [], pid]);
  }
  for (const pids of [...containers.values(), ...images.values()]) {
    pids.sort((one, other) => one - other);
  }
  return { containers, images };
}

/** The ids of a busy machine begin anew, so the lowest id decides only between equal times. */
export function oldest<Process extends { readonly pid: number }>(
  processes: readonly Process[],
  startOf: (pid: number) => number | undefined,
): Process {
  const age = ({ pid }: Process) => startOf(pid) ?? Infinity;
  return processes.toSorted((one, other) => {
    const [first, second] = [age(one), age(other)];
    return first === second ? one.pid - other.pid : first < second ? -1 : 1;
  })[0]!;
}

/** The image file that the process's container was started from, by the mount on its lock. */
function imageOf(pid: number): string | undefined {
  try {
    const mounts = readMounts(fs.readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
    const lock = mounts.findLast(({ path }) => path === `/${LOCK_NAME}`);
    return lock?.type === "tmpfs" && lock.root.startsWith(`${IMAGE_MARKS}/`)
      ? lock.root.slice(IMAGE_MARKS.length)
      : undefined;
  } catch {
    // It has just ended.
    return undefined;
  }
}

/** Throws code `busy`, with the processes, while the container runs. */
export function requireIdle(place: ContainerPlace): void {
  const pids = runningHere([place]).containers.get(place.name)!;
  if (pids.length === 0) return;
  const shown = pids.slice(0, SHOWN_PROCESSES).join(", ");
  const more = pids.length > SHOWN_PROCESSES ? ` and ${pids.length - SHOWN_PROCESSES} more` : "";
  const noun = pids.length === 1 ? "process" : "processes";
  throw new DenrootError("busy", `${place.path} is running: ${noun} ${shown}${more}`, {
    hint: "End the container first; denroot list -f shows what runs in it",
  });
}

/** As {@link requireIdle}, but lets processes that are about to end do so first. */
export async function waitUntilIdle(
  place: ContainerPlace,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  for (let leftMs = timeoutMs;; leftMs -= POLL_MS) {
    try {
      return requireIdle(place);
    } catch (error) {
      if (leftMs <= 0 || signal.aborted) throw error;
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/**
 * The ids of processes by the namespace of their mounts, without those that share this process's
 * namespace: no container does. Other users' processes are left out by the kernel.
 */
function byMountNamespace(): ReadonlyMap<string, readonly number[]> {
  const own = mountNamespace("self");
  const found = new Map<string, number[]>();
  const pids = fs.readdirSync("/proc").filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  for (const pid of pids) {
    const namespace = mountNamespace(pid);
    if (namespace === undefined || namespace === own) continue;
    const others = found.get(namespace);
    if (others === undefined) found.set(namespace, [pid]);
    else others.push(pid);
  }
  return found;
}

/** Whether something is mounted on `/.lock`, as both denroot and enroot do it. */
function hasLockMount(pid: number): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/mountinfo`, "latin1").includes(` /${LOCK_NAME} `);
  } catch {
    // It has just ended.
    return false;
  }
}

function mountNamespace(pid: number | "self"): string | undefined {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // It has just ended, or it is another user's.
    return undefined;
  }
}

/** Device and number of a file; never those of a symbolic link's target. */
function identityOf(file: string): string | undefined {
  try {
    const status = fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
    return status?.isFile() ? `${status.dev}:${status.ino}` : undefined;
  } catch {
    return undefined;
  }
}

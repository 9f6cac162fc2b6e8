/**
 * Which containers run. Each has its `/.lock` in its root, so a process belongs to the container
 * whose lock it sees there: the file's device and number say it, whatever its root is made of.
 */

import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../errors.ts";
import type { ContainerPlace } from "./container_name.ts";
import { onlyWaits } from "./waiting_process.ts";

/** The file in a container's root that is locked while the container is prepared. */
export const LOCK_NAME = ".lock";

/** How many processes a message names. */
const SHOWN_PROCESSES = 5;
const POLL_MS = 50;

/**
 * The processes of these containers, by name; a container that does not run has none. Where several
 * processes share a mount namespace only the one with the lowest id counts: it came first, as a rule.
 * One that only waits for another counts where there is nothing else.
 */
export function runningContainers(
  places: readonly ContainerPlace[],
): ReadonlyMap<string, readonly number[]> {
  const names = new Map(places.flatMap(({ name, path: root }) => {
    const lock = identityOf(path.join(root, LOCK_NAME));
    return lock === undefined ? [] : [[lock, name] as const];
  }));
  const found = new Map<string, number[]>(places.map(({ name }) => [name, []]));
  if (names.size === 0) return found;
  for (const processes of byMountNamespace().values()) {
    const seen = processes.flatMap((pid) => {
      const name = names.get(identityOf(`/proc/${pid}/root/${LOCK_NAME}`) ?? "");
      return name === undefined ? [] : [{ pid, name }];
    });
    const first = seen.find(({ pid }) => !onlyWaits(`/proc/${pid}`)) ?? seen[0];
    if (first !== undefined) found.get(first.name)!.push(first.pid);
  }
  for (const pids of found.values()) pids.sort((one, other) => one - other);
  return found;
}

/** Throws code `busy`, with the processes, while the container runs. */
export function requireIdle(place: ContainerPlace): void {
  const pids = runningContainers([place]).get(place.name)!;
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
 * The ids of processes by the namespace of their mounts, in rising order, without those that share
 * this process's namespace: no container does. Other users' processes are left out by the kernel.
 */
function byMountNamespace(): ReadonlyMap<string, readonly number[]> {
  const own = mountNamespace("self");
  const found = new Map<string, number[]>();
  const pids = fs.readdirSync("/proc").filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
  for (const pid of pids.sort((one, other) => one - other)) {
    const namespace = mountNamespace(pid);
    if (namespace === undefined || namespace === own) continue;
    const others = found.get(namespace);
    if (others === undefined) found.set(namespace, [pid]);
    else others.push(pid);
  }
  return found;
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

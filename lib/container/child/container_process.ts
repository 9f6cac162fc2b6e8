/** A process of a container that is a child of this process. */

import { Buffer } from "node:buffer";
import { lstatSync } from "node:fs";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { closeDescriptor, memoryDescriptor } from "../../system/linux/descriptors.ts";
import { type ChildProcess, spawnSelf, type Stream } from "../../system/process/spawn_self.ts";
import { LOCK_NAME } from "../lock_name.ts";
import type { BecomeOrder } from "./become_order.ts";

export interface ProcessOptions {
  /** Default: this process's own, as for the other streams. */
  readonly stdin?: Stream | undefined;
  readonly stdout?: Stream | undefined;
  /** denroot writes its messages there too, until the command runs. */
  readonly stderr?: Stream | undefined;
  /** Its abort ends the process: with TERM, and with KILL five seconds later. */
  readonly signal?: AbortSignal | undefined;
}

/** How a process ended: by an exit code or by a signal, the other is null. */
export interface ProcessExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ContainerProcess {
  /** As the host calls it. */
  readonly pid: number;
  /** Null unless it was asked for as a pipe. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Never rejects. A start that fails ends with 1, after a message on standard error. */
  readonly exited: Promise<ProcessExit>;
  /**
   * Resolves when the container is prepared, so that `execInContainer` can join it; to false when the
   * process ended before.
   */
  ready(): Promise<boolean>;
  /** Does nothing when the process has ended. */
  kill(signal: NodeJS.Signals): void;
}

const GRACE_MS = 5000;
const POLL_MS = 5;

/** Starts a child that becomes what is ordered. Throws code `file` when it cannot be started. */
export async function containerProcess(
  order: BecomeOrder,
  { stdin = "inherit", stdout = "inherit", stderr = "inherit", signal }: ProcessOptions,
): Promise<ContainerProcess> {
  // Not as an argument, which all users see.
  const file = memoryDescriptor("denroot-order", Buffer.from(JSON.stringify(order)));
  let child: ChildProcess;
  try {
    const path = `/proc/${process.pid}/fd/${file}`;
    child = await spawnSelf(["become", path], { stdin, stdout, stderr });
  } catch (error) {
    closeDescriptor(file);
    throw error;
  }
  const { promise: exited, resolve } = Promise.withResolvers<ProcessExit>();
  child.on("exit", (exitCode, signal) => {
    closeDescriptor(file);
    resolve({ exitCode, signal });
  });
  const kill = (signal: NodeJS.Signals) => killChild(child, signal);
  if (signal !== undefined) endOnAbort(signal, exited, kill);
  return {
    pid: child.pid!,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    ready: () => isReady(child),
    kill,
  };
}

/** The process sees the container's root only when nothing but the command itself is left to do. */
async function isReady(child: ChildProcess): Promise<boolean> {
  for (;;) {
    if (hasEnded(child)) return false;
    try {
      lstatSync(`/proc/${child.pid}/root/${LOCK_NAME}`);
      return true;
    } catch {
      await sleep(POLL_MS);
    }
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Not by `ChildProcess.kill`: on Deno that sends one signal only, and ignores later ones. */
function killChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (hasEnded(child)) return;
  try {
    process.kill(child.pid!, signal);
  } catch {
    // It has just ended.
  }
}

function endOnAbort(
  signal: AbortSignal,
  exited: Promise<ProcessExit>,
  kill: (signal: NodeJS.Signals) => void,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => {
    kill("SIGTERM");
    timer = setTimeout(() => kill("SIGKILL"), GRACE_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  void exited.then(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

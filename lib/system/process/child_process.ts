/** A long-running child that reads from a descriptor, and whose messages are kept. */

import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import { nativeCalls } from "../native_calls.ts";

export interface Child {
  readonly pid: number;
  /** How it ended: its exit status, or 128 and its signal's number as a shell has it. */
  readonly exited: Promise<ChildExit>;
  /** Sends TERM. */
  terminate(): void;
  /** Sends KILL. */
  kill(): void;
}

export interface ChildExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to standard error. */
  readonly messages: string;
}

const MAX_MESSAGES = 64 * 1024;
const READ_SIZE = 256 * 1024;
/** After TERM, until KILL. */
const GRACE_MS = 5000;

/**
 * Starts `command` with `stdin` as its standard input, under `name` in lists of processes. Rejects
 * when it cannot be started.
 */
export function startChild(
  command: string,
  args: readonly string[],
  options: {
    readonly stdin: number;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly name?: string;
  },
): Promise<Child> {
  const child = spawn(command, args, {
    stdio: [options.stdin, "ignore", "pipe"],
    env: options.env as Record<string, string>,
    argv0: options.name ?? command,
  });
  let messages = "";
  child.stderr!.setEncoding("latin1").on("data", (text: string) => {
    messages = (messages + text).slice(-MAX_MESSAGES);
  });
  const exited = new Promise<ChildExit>((resolve) => {
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, messages }));
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("spawn", () =>
      resolve({
        pid: child.pid!,
        exited,
        terminate: () => signalChild(child, "SIGTERM"),
        kill: () => signalChild(child, "SIGKILL"),
      }));
  });
}

/** Not by the child's own method: on Deno that sends one signal only, whatever comes later. */
function signalChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(child.pid!, signal);
  } catch {
    // It has just ended.
  }
}

/** A child whose standard output is read. */
export interface ReadableChild {
  /** To be read; whoever leaves before its end ends the child, and waits for that. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Rejects when it could not be started. */
  readonly exited: Promise<ChildExit>;
}

/**
 * Runs `command` for what it writes to standard output: a pipe, which it may open by name. `env` is
 * its whole environment; this process's own without it. When `signal` aborts, the child is ended,
 * and with it its output.
 */
export async function readFromChild(
  command: string,
  args: readonly string[],
  { env, signal }: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly signal?: AbortSignal;
  } = {},
): Promise<ReadableChild> {
  const native = await nativeCalls();
  const [readEnd, writeEnd] = native.pipe();
  // Opened anew by name: not every runtime's own reads take a foreign descriptor.
  const fd = fs.openSync(`/proc/self/fd/${readEnd}`, "r");
  native.close(readEnd);
  const child = spawn(command, args, {
    stdio: ["ignore", writeEnd, "pipe"],
    ...(env && { env: env as Record<string, string> }),
  });
  native.close(writeEnd);
  let messages = "";
  child.stderr!.setEncoding("latin1").on("data", (text: string) => {
    messages = (messages + text).slice(-MAX_MESSAGES);
  });
  const exited = new Promise<ChildExit>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve({ exitCode, signal, messages }));
  });
  const stop = () => void end(child, exited);
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  exited.catch(() => {}).then(() => signal?.removeEventListener("abort", stop));
  return { output: outputOf(fd, () => end(child, exited)), exited };
}

async function* outputOf(fd: number, endChild: () => Promise<void>): AsyncIterable<Uint8Array> {
  let isComplete = false;
  try {
    yield* readAll(fd);
    isComplete = true;
  } finally {
    if (!isComplete) await endChild();
  }
}

async function end(child: ChildProcess, exited: Promise<ChildExit>): Promise<void> {
  signalChild(child, "SIGTERM");
  const timer = setTimeout(() => signalChild(child, "SIGKILL"), GRACE_MS);
  await exited.catch(() => {});
  clearTimeout(timer);
}

/** Not by blocking reads: the child's messages have to be taken meanwhile, lest it waits for that. */
async function* readAll(fd: number): AsyncIterable<Uint8Array> {
  try {
    const buffer = new Uint8Array(READ_SIZE);
    for (let count = 0; (count = await readSome(fd, buffer)) > 0;) yield buffer.subarray(0, count);
  } finally {
    fs.closeSync(fd);
  }
}

function readSome(fd: number, buffer: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(
      fd,
      buffer,
      0,
      buffer.length,
      null,
      (error, count) => error ? reject(error) : resolve(count),
    )
  );
}

/** Child processes: how they start, what they say and how they end. */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { DenrootError, messageOf, systemCode } from "../../errors.ts";

export interface ChildOptions {
  /** A number is an open descriptor, of which the child gets a copy. Default: `ignore`. */
  readonly stdin?: "ignore" | "pipe" | number;
  readonly stdout?: "ignore" | "pipe" | number;
  /** The child's whole environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** What lists of processes call it (`argv[0]`). A program in memory has no telling path. */
  readonly name?: string | undefined;
  /** Its abort ends the child, as {@link Child.end} does. */
  readonly signal?: AbortSignal | undefined;
}

/** How a child ended: by an exit code or by a signal, the other is null. */
export interface ChildExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to standard error, at most 64 KiB. */
  readonly messages: string;
}

const MAX_MESSAGES = 64 * 1024;
/** Between TERM and KILL. */
const GRACE_MS = 5000;

/**
 * Starts `command` with standard error kept as its messages. A failure to start rejects the child's
 * `started` and `exited`, with code `not_found` or `file`. Arguments are never quoted in errors:
 * they may be secret.
 */
export function spawnChild(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Child {
  const { stdin = "ignore", stdout = "ignore", env, name, signal } = options;
  let spawned: ChildProcess;
  try {
    spawned = spawn(command, [...args], {
      stdio: [stdin, stdout, "pipe"],
      ...(env && { env }),
      ...(name !== undefined && { argv0: name }),
    });
  } catch (cause) {
    // Only some failures come as an event; arguments that are too long do not.
    throw startError(command, cause);
  }
  const child = new Child(command, spawned);
  if (signal !== undefined) endOnAbort(child, signal);
  return child;
}

export class Child {
  /** Null unless it was asked for as `pipe`. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  /** Resolves once the program runs. */
  readonly started: Promise<void>;
  /** Resolves when it has ended and nobody can write to its pipes any more. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;

  constructor(command: string, spawned: ChildProcess) {
    this.#process = spawned;
    this.stdin = spawned.stdin;
    this.stdout = spawned.stdout;
    const messages = keepEnd(spawned.stderr!);
    const started = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<ChildExit>();
    this.started = started.promise;
    this.exited = exited.promise;
    spawned.on("spawn", started.resolve);
    // Comes before "close", which is told of a program that never ran too.
    spawned.on("error", (cause) => {
      const error = startError(command, cause);
      started.reject(error);
      exited.reject(error);
    });
    // Neither has to be awaited.
    for (const promise of [started.promise, exited.promise]) promise.catch(() => {});
    spawned.on("close", (exitCode, signal) => {
      exited.resolve({ exitCode, signal, messages: messages() });
    });
  }

  /**
   * Sends TERM, and KILL to a child that still runs after `graceMs`. Resolves when the child has
   * ended; never rejects.
   */
  async end(graceMs = GRACE_MS): Promise<void> {
    this.#send("SIGTERM");
    const timer = setTimeout(() => this.abandon(), graceMs);
    await this.exited.catch(() => {});
    clearTimeout(timer);
  }

  /** Kills the child and its own children at once. What it may still have to say is lost. */
  abandon(): void {
    const { pid } = this.#process;
    const others = pid === undefined || this.#hasExited() ? [] : descendants(pid);
    this.#send("SIGKILL");
    for (const other of others) kill(other, "SIGKILL");
    // Without this "close" would wait for a grandchild that keeps the pipes open.
    for (const stream of this.#process.stdio) stream?.destroy();
  }

  /** Not by `ChildProcess.kill`: on Deno that sends one signal only, and ignores later ones. */
  #send(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid !== undefined && !this.#hasExited()) kill(pid, signal);
  }

  #hasExited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

/** The processes below `pid`: what a shell started does not end with the shell. */
function descendants(pid: number): readonly number[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [];
  }
  const children = (text.match(/\d+/g) ?? []).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function endOnAbort(child: Child, signal: AbortSignal): void {
  const onAbort = () => void child.end();
  if (signal.aborted) return onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const forget = () => signal.removeEventListener("abort", onAbort);
  child.exited.then(forget, forget);
}

/** Gives the end of what has come so far. Latin-1 keeps bytes apart until all of them are there. */
function keepEnd(stream: Readable): () => string {
  let kept = "";
  stream.setEncoding("latin1").on("data", (text: string) => {
    kept += text;
    if (kept.length > 2 * MAX_MESSAGES) kept = kept.slice(-MAX_MESSAGES);
  });
  return () => Buffer.from(kept.slice(-MAX_MESSAGES), "latin1").toString("utf8");
}

function startError(command: string, cause: unknown): DenrootError {
  const isMissing = systemCode(cause) === "ENOENT";
  return new DenrootError(
    isMissing ? "not_found" : "file",
    isMissing
      ? `The program ${command} was not found`
      : `The program ${command} could not be started: ${messageOf(cause)}`,
    { cause },
  );
}

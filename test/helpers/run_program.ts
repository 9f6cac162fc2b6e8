/** Running real programs from a test. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";

export interface ProgramResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

export interface RunningProgram {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly done: Promise<ProgramResult>;
  /** The output so far. */
  stdout(): string;
  stderr(): string;
}

/** Runs a program to its end; throws, with the output, unless the exit code is 0. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await startProgram(command, args, options).done;
  if (result.exitCode !== 0) {
    throw new Error(
      `${command} ${args.join(" ")}: exit ${result.exitCode ?? result.signal}\n` +
        `${result.stdout.slice(-2000)}${result.stderr.slice(-4000)}`,
    );
  }
  return result;
}

/** Starts a program; `done` resolves when it ends in any way. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): RunningProgram {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: definedOnly(options.env ?? process.env),
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => stderr.push(chunk));
  if (options.input !== undefined) {
    child.stdin!.on("error", () => {});
    child.stdin!.end(options.input);
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 120_000);
  const done = new Promise<ProgramResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => {
      clearTimeout(timer);
      const stdoutBytes = Buffer.concat(stdout);
      resolve({
        exitCode,
        signal,
        stdout: stdoutBytes.toString("utf8"),
        stderr: Buffer.concat(stderr).toString("utf8"),
        stdoutBytes,
      });
    });
  });
  return {
    pid: child.pid ?? -1,
    child,
    done,
    stdout: () => Buffer.concat(stdout).toString("utf8"),
    stderr: () => Buffer.concat(stderr).toString("utf8"),
  };
}

/** The path of an installed program; the directories of daemons are searched too. */
export function findProgram(name: string): string | undefined {
  return `${process.env.PATH}:/usr/sbin:/sbin`.split(":")
    .map((directory) => `${directory}/${name}`)
    .find((path) => existsSync(path));
}

/** Waits until `ready` is true; the error after the time limit names `what`. */
export async function waitUntil(
  what: string,
  ready: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!await ready()) {
    if (Date.now() > end) throw new Error(`This did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ends a program, first with SIGTERM, and waits for its end. */
export async function stopProgram(program: RunningProgram, graceMs = 5_000): Promise<void> {
  program.child.kill("SIGTERM");
  const timer = setTimeout(() => program.child.kill("SIGKILL"), graceMs);
  await program.done.catch(() => {});
  clearTimeout(timer);
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

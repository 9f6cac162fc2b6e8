/** Runs a program to its end and collects what it says. */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { DenrootError, messageOf } from "../../errors.ts";

export interface RunCommandOptions {
  /** Written to standard input, which is empty without it. */
  readonly input?: string | Uint8Array;
  /** The whole environment of the program; this process's own without it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Of standard output and standard error, each. */
  readonly maxOutputBytes?: number;
}

export interface CommandResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Resolves when the program has ended and its output is complete, whatever its exit code. The
 * program is killed, and the promise rejects, when `signal` aborts (code `aborted`), when it takes
 * longer than `timeoutMs` or says more than `maxOutputBytes` (`limit`), and when it cannot be
 * started (`not_found`, `file`). Arguments are not quoted in errors: they may be secret.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: RunCommandOptions = {},
): Promise<CommandResult> {
  const { input, env, signal, timeoutMs, maxOutputBytes = 64 * 1024 * 1024 } = options;
  if (signal?.aborted) return Promise.reject(abortedError(command, signal));
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: DenrootError) => {
      settle();
      child.kill("SIGKILL");
      // A grandchild may keep the pipes open: nobody waits for it.
      for (const stream of child.stdio) stream?.destroy();
      reject(error);
    };
    const onAbort = () => fail(abortedError(command, signal!));
    const child = spawn(command, [...args], {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(env && { env: definedOnly(env) }),
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (timeoutMs !== undefined && timeoutMs > 0) {
      timer = setTimeout(() => fail(timeoutError(command, timeoutMs)), timeoutMs);
    }
    const collect = (stream: NodeJS.ReadableStream): Buffer[] => {
      const chunks: Buffer[] = [];
      let length = 0;
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > maxOutputBytes) fail(outputError(command, maxOutputBytes));
      });
      return chunks;
    };
    const stdout = collect(child.stdout!);
    const stderr = collect(child.stderr!);
    child.on("error", (cause) => fail(startError(command, cause)));
    child.on("close", (exitCode, endSignal) => {
      settle();
      const [out, err] = [Buffer.concat(stdout), Buffer.concat(stderr)];
      resolve({ exitCode, signal: endSignal, stdout: out, stderr: err });
    });
    // A program need not read what it is given: EPIPE is its right.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}

function startError(command: string, cause: unknown): DenrootError {
  const isMissing = (cause as { code?: unknown } | null)?.code === "ENOENT";
  return new DenrootError(
    isMissing ? "not_found" : "file",
    isMissing
      ? `The program ${command} was not found`
      : `The program ${command} could not be started: ${messageOf(cause)}`,
    { cause },
  );
}

function timeoutError(command: string, timeoutMs: number): DenrootError {
  return new DenrootError("limit", `${command} took longer than ${timeoutMs / 1000} seconds`);
}

function outputError(command: string, limit: number): DenrootError {
  return new DenrootError("limit", `${command} printed more than ${limit} bytes`);
}

function abortedError(command: string, signal: AbortSignal): DenrootError {
  return new DenrootError("aborted", `${command} was interrupted`, { cause: signal.reason });
}

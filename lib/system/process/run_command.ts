/** A program that is run to its end, with all of its output. */

import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { abortedError, DenrootError, throwIfAborted } from "../../errors.ts";
import { type ChildExit, spawnChild } from "./spawn_child.ts";

interface CommandOptions {
  /** Goes to standard input, which is empty by default. */
  readonly input?: string | Uint8Array;
  /** The program's whole environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** Default: no limit. */
  readonly timeoutMs?: number;
  /** Limits standard output. Default: 64 MiB. */
  readonly maxOutputBytes?: number;
}

interface CommandResult extends ChildExit {
  readonly stdout: Buffer;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Resolves when the program has ended, whatever its exit code. Kills the program and rejects with
 * code `aborted` when `signal` aborts, and with code `limit` when the program takes longer than
 * `timeoutMs` or prints more than `maxOutputBytes`. Rejects with code `not_found` or `file` when it
 * cannot be started.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { input, env, signal, timeoutMs = 0, maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  if (signal !== undefined) throwIfAborted(signal);
  const stdin = input === undefined ? "ignore" : "pipe";
  const child = spawnChild(command, args, { stdin, stdout: "pipe", env });
  const stopped = Promise.withResolvers<never>();
  const stdout = collect(
    child.stdout!,
    maxOutputBytes,
    () => stopped.reject(outputError(command, maxOutputBytes)),
  );
  const onAbort = () => stopped.reject(abortedError(signal!));
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = timeoutMs > 0
    ? setTimeout(() => stopped.reject(timeoutError(command, timeoutMs)), timeoutMs)
    : undefined;
  // A program need not read its input: EPIPE is no failure.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  try {
    const exit = await Promise.race([child.exited, stopped.promise]);
    return { ...exit, stdout: Buffer.concat(stdout) };
  } catch (error) {
    child.abandon();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function collect(stream: Readable, limit: number, onLimit: () => void): readonly Buffer[] {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > limit) return onLimit();
    chunks.push(chunk);
  });
  return chunks;
}

function timeoutError(command: string, timeoutMs: number): DenrootError {
  return new DenrootError("limit", `${command} took longer than ${timeoutMs / 1000} seconds`);
}

function outputError(command: string, limit: number): DenrootError {
  return new DenrootError("limit", `${command} printed more than ${limit} bytes`);
}

/** A program that has the terminal, as one that is run from a shell. */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { DenrootError, messageOf, systemCode } from "../../errors.ts";

export interface ForegroundOptions {
  /** The program's whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs `command` with this process's standard input, standard error and directory, and without
 * standard output. Resolves to its exit code when it has ended; to 128 and the signal's number where
 * a signal ended it. Rejects with code `not_found` or `file` when it cannot be started: the cause has
 * the system's own `code`.
 */
export async function runForeground(
  command: string,
  args: readonly string[],
  options: ForegroundOptions,
): Promise<number> {
  return (await start(command, args, options, "ignore")).exitCode;
}

/**
 * Does as {@link runForeground} does, and gives what the program wrote to standard output. A program
 * that writes more than `maxOutputBytes` is killed, and code `limit` thrown.
 */
export async function readForeground(
  command: string,
  args: readonly string[],
  options: ForegroundOptions & { readonly maxOutputBytes: number },
): Promise<ForegroundOutput> {
  const { exitCode, output, length } = await start(command, args, options, "pipe");
  if (length > options.maxOutputBytes) {
    throw new DenrootError("limit", `${command} printed more than ${options.maxOutputBytes} bytes`);
  }
  return { exitCode, output: Buffer.concat(output) };
}

interface ForegroundOutput {
  readonly exitCode: number;
  readonly output: Buffer;
}

interface Ended {
  readonly exitCode: number;
  readonly output: readonly Buffer[];
  /** It counts all that the program wrote, also what is not in `output`. */
  readonly length: number;
}

function start(
  command: string,
  args: readonly string[],
  { env, maxOutputBytes = 0 }: ForegroundOptions & { readonly maxOutputBytes?: number },
  stdout: "ignore" | "pipe",
): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const fail = (cause: unknown) => reject(startError(command, cause));
  const output: Buffer[] = [];
  let length = 0;
  try {
    const child = spawn(command, [...args], {
      stdio: ["inherit", stdout, "inherit"],
      env: { ...env },
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxOutputBytes) return void output.push(chunk);
      child.kill("SIGKILL");
      // What the program has started may write on: only this ends it.
      child.stdout!.destroy();
    });
    child.on("error", fail);
    child.on(
      stdout === "pipe" ? "close" : "exit",
      (code: number | null, signal: NodeJS.Signals | null) =>
        resolve({ exitCode: code ?? 128 + signalNumber(signal), output, length }),
    );
  } catch (cause) {
    fail(cause);
  }
  return promise;
}

function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : constants.signals[name];
}

function startError(command: string, cause: unknown): DenrootError {
  const isMissing = systemCode(cause) === "ENOENT";
  return new DenrootError(
    isMissing ? "not_found" : "file",
    `The program ${command} could not be started: ${messageOf(cause)}`,
    { cause },
  );
}

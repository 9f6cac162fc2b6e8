/** A program that has the terminal, as one that is run from a shell. */

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { DenrootError, messageOf } from "../../errors.ts";

export interface ForegroundOptions {
  /** The program's whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What lists of processes call it (`argv[0]`). */
  readonly name?: string;
}

/**
 * Runs `command` with this process's standard input, standard error and directory, and without
 * standard output. Resolves to its exit code when it has ended; to 128 and the signal's number where
 * a signal ended it. Rejects with code `not_found` or `file` when it cannot be started: the cause has
 * the system's own `code`.
 */
export function runForeground(
  command: string,
  args: readonly string[],
  options: ForegroundOptions,
): Promise<number> {
  const { env, name } = options;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const fail = (cause: unknown) => reject(startError(command, cause));
  try {
    const child = spawn(command, [...args], {
      stdio: ["inherit", "ignore", "inherit"],
      env: { ...env },
      ...(name !== undefined && { argv0: name }),
    });
    child.on("error", fail);
    child.on("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  } catch (cause) {
    fail(cause);
  }
  return promise;
}

function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : constants.signals[name];
}

function startError(command: string, cause: unknown): DenrootError {
  const isMissing = (cause as { code?: unknown } | null)?.code === "ENOENT";
  return new DenrootError(
    isMissing ? "not_found" : "file",
    `The program ${command} could not be started: ${messageOf(cause)}`,
    { cause },
  );
}

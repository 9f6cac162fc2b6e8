/** denroot itself as a child process, also where this process is another program that uses it. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DenrootError, messageOf } from "../../errors.ts";
import { moduleUrl, runsAsExecutable } from "../project_url.ts";

export type { ChildProcess };

/** This process's own, none, or a pipe. */
export type Stream = "inherit" | "ignore" | "pipe";

export interface Streams {
  readonly stdin: Stream;
  readonly stdout: Stream;
  readonly stderr: Stream;
}

/**
 * `args` begin with one of denroot's own commands. Resolves when the child runs. Throws code `file`
 * when it cannot be started.
 */
export async function spawnSelf(
  args: readonly string[],
  { stdin, stdout, stderr }: Streams,
): Promise<ChildProcess> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(process.execPath, [...programArguments(), ...args], {
    stdio: [stdin, stdout, stderr],
  });
  child.on("spawn", resolve);
  child.on("error", (cause) => {
    const message = `denroot could not be started: ${messageOf(cause)}`;
    reject(new DenrootError("file", message, { cause }));
  });
  await promise;
  return child;
}

function programArguments(): readonly string[] {
  if (runsAsExecutable()) return [];
  const script = fileURLToPath(moduleUrl("parts.ts"));
  return "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
}

/** Scripts of sites and users that run as hooks. */

import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { DenrootError } from "../../errors.ts";
import { findProgram } from "../../system/host/find_program.ts";
import { runForeground } from "../../system/process/run_foreground.ts";
import { type Command, tendedCommand } from "../enter/put_program.ts";
import type { PlannedHook, PlannedMount, PlannedVariable } from "../../types/container.ts";
import { fullDiskHint } from "./full_disk.ts";
import { changedMounts, changedVariables, environmentText, mountsText } from "./hook_files.ts";
import { hookEnvironment, hookFiles, type HookPlace } from "./hook_environment.ts";

interface ScriptSurroundings extends HookPlace {
  readonly command: readonly string[];
}

/** What hooks have asked for so far. */
interface Wishes {
  readonly variables: readonly PlannedVariable[];
  readonly mounts: readonly PlannedMount[];
}

const FILE_LIMIT_BYTES = 16 * 1024 * 1024;
/** The exit code of shells and of env for a program that they do not find. */
const NOT_FOUND = 127;

export class HookScripts {
  readonly #surroundings: ScriptSurroundings;

  constructor(surroundings: ScriptSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Runs the script, and reads what it wrote into the two files. */
  async run(hook: PlannedHook, { variables, mounts }: Wishes): Promise<Wishes> {
    const path = hook.path!;
    const files = hookFiles(this.#surroundings.settings);
    writeFileSync(files.environment, environmentText(variables), { mode: 0o600 });
    writeFileSync(files.mounts, mountsText(mounts), { mode: 0o600 });
    await this.#runProgram(path, this.#commandOf(hook));
    return {
      variables: changedVariables(variables, readOwn(files.environment), path),
      mounts: changedMounts(mounts, readOwn(files.mounts), path),
    };
  }

  /** Bash itself runs `hooks()` of a configuration script, and scripts that name no interpreter. */
  #commandOf({ type, path }: PlannedHook): Command {
    const { command } = this.#surroundings;
    if (type === "script") {
      const strict = ["--norc", "-e", "-u", "-o", "pipefail", "-c"];
      return { program: "bash", args: [...strict, 'source "$0"; hooks', path!, ...command] };
    }
    return interpreterOf(path!) === undefined && !isBinary(path!)
      ? { program: "bash", args: [path!] }
      : { program: path!, args: [] };
  }

  async #runProgram(path: string, { program, args }: Command): Promise<void> {
    const env = hookEnvironment(this.#surroundings);
    const { root, settings } = this.#surroundings;
    const found = program.includes("/") ? program : findProgram(program, env);
    if (found === undefined) throw lacksInterpreter(path, program);
    const isDirect = program === path;
    // The kernel does not name what it misses. What env looks for may depend on its options.
    if (isDirect && interpreterOf(path)?.startsWith("/")) requireInterpreter(path, env);
    const tended = tendedCommand(settings.runtimePath, { program: found, args });
    const exitCode = await runForeground(tended.program, tended.args, { env });
    if (exitCode === 0) return;
    if (isDirect && exitCode === NOT_FOUND) requireInterpreter(path, env);
    throw new DenrootError("file", `${path} exited with return code ${exitCode}`, {
      hint: fullDiskHint([root.path, settings.runtimePath]) ??
        "The hook is not denroot's own: what it printed, and the file itself, say more",
    });
  }
}

function readOwn(path: string): string {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > FILE_LIMIT_BYTES) {
    throw new DenrootError("limit", `Hooks made ${path} longer than ${FILE_LIMIT_BYTES} bytes`);
  }
  return size === 0 ? "" : readFileSync(path, "utf8");
}

/** The program that the first line names; that of `env` is the one which env looks for. */
function interpreterOf(path: string): string | undefined {
  const words = /^#!\s*(.*)/.exec(firstBytes(path).split("\n", 1)[0]!)?.[1]?.trim().split(/\s+/);
  if (words?.[0] === undefined || basename(words[0]) !== "env") return words?.[0];
  return words.slice(1).find((word) => !word.startsWith("-") && !word.includes("="));
}

function isBinary(path: string): boolean {
  return firstBytes(path).startsWith("\x7fELF");
}

function firstBytes(path: string): string {
  const buffer = new Uint8Array(256);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const count = readSync(descriptor, buffer);
    return new TextDecoder("latin1").decode(buffer.subarray(0, count));
  } catch {
    // A program may be executable and not readable.
    return "\x7fELF";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Throws code `not_found` for a script whose interpreter this machine lacks. */
function requireInterpreter(path: string, env: Readonly<Record<string, string>>): void {
  const interpreter = interpreterOf(path);
  if (interpreter === undefined) return;
  const isThere = interpreter.startsWith("/")
    ? existsSync(interpreter)
    : findProgram(interpreter, env) !== undefined;
  if (!isThere) throw lacksInterpreter(path, interpreter);
}

function lacksInterpreter(path: string, interpreter: string): DenrootError {
  return new DenrootError(
    "not_found",
    `${path} needs ${interpreter}, which this machine does not have`,
    {
      hint: `Install ${basename(interpreter)}, or make the script not executable to switch it off`,
    },
  );
}

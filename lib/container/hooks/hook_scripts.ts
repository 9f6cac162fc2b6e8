/** Scripts of sites and users that run as hooks. */

import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { meansNo } from "../../config/means_no.ts";
import { DenrootError, hasCode } from "../../errors.ts";
import { findProgram } from "../../system/host/find_program.ts";
import { runForeground } from "../../system/process/run_foreground.ts";
import { ENROOT_VERSION } from "../../system/version.ts";
import type {
  HookHost,
  PlannedHook,
  PlannedMount,
  PlannedVariable,
  RootedFiles,
} from "../../types/container.ts";
import { fullDiskHint } from "./full_disk.ts";
import { changedMounts, changedVariables, environmentText, mountsText } from "./hook_files.ts";
import { makeHookLibrary } from "./hook_library.ts";

interface ScriptSurroundings extends HookHost {
  readonly root: RootedFiles;
  readonly pid: number;
  readonly command: readonly string[];
}

/** What hooks have asked for so far. */
interface Wishes {
  readonly variables: readonly PlannedVariable[];
  readonly mounts: readonly PlannedMount[];
}

const FILE_LIMIT_BYTES = 16 * 1024 * 1024;
const NOT_FOUND = 127;

export class HookScripts {
  readonly #surroundings: ScriptSurroundings;
  #library: string | undefined;

  constructor(surroundings: ScriptSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Runs the script, and reads what it wrote into the two files. */
  async run(hook: PlannedHook, { variables, mounts }: Wishes): Promise<Wishes> {
    const path = hook.path!;
    const files = this.#files;
    writeFileSync(files.environment, environmentText(variables), { mode: 0o600 });
    writeFileSync(files.mounts, mountsText(mounts), { mode: 0o600 });
    const { program, args } = this.#commandOf(hook);
    await this.#runProgram(path, program, args);
    return {
      variables: changedVariables(variables, readOwn(files.environment), path),
      mounts: changedMounts(mounts, readOwn(files.mounts), path),
    };
  }

  get #files(): { readonly environment: string; readonly mounts: string } {
    const { runtimePath } = this.#surroundings.settings;
    return { environment: `${runtimePath}/environment`, mounts: `${runtimePath}/fstab` };
  }

  /** Bash itself runs `hooks()` of a configuration script, and scripts that name no interpreter. */
  #commandOf({ type, path }: PlannedHook): Invocation {
    const { command } = this.#surroundings;
    if (type === "script") {
      const strict = ["--norc", "-e", "-u", "-o", "pipefail", "-c"];
      return { program: "bash", args: [...strict, 'source "$0"; hooks', path!, ...command] };
    }
    return interpreterOf(path!) === undefined && !isBinary(path!)
      ? { program: "bash", args: [path!] }
      : { program: path!, args: [] };
  }

  async #runProgram(path: string, program: string, args: readonly string[]): Promise<void> {
    const env = this.#environment();
    let exitCode: number;
    try {
      const found = program.includes("/") ? program : findProgram(program, env);
      if (found === undefined) throw lacksInterpreter(path, program);
      exitCode = await runForeground(found, args, { env });
    } catch (error) {
      const missing = hasCode(error, "not_found") ? missingInterpreter(path, env) : undefined;
      throw missing === undefined ? error : lacksInterpreter(path, missing);
    }
    if (exitCode === 0) return;
    const missing = exitCode === NOT_FOUND ? missingInterpreter(path, env) : undefined;
    if (missing !== undefined) throw lacksInterpreter(path, missing);
    const { root, settings } = this.#surroundings;
    throw new DenrootError("file", `${path} exited with return code ${exitCode}`, {
      hint: fullDiskHint([root.path, settings.runtimePath]) ??
        "The hook is not denroot's own: what it printed, and the file itself, say more",
    });
  }

  /** The host's whole environment, and what enroot's scripts find in it. */
  #environment(): Record<string, string> {
    const { environment, namespaces, settings, root, pid } = this.#surroundings;
    const library = this.#library ??= makeHookLibrary(settings.runtimePath);
    const flags: Record<string, boolean> = {
      ENROOT_LOGIN_SHELL: settings.loginShell,
      ENROOT_MOUNT_HOME: settings.mountHome,
      ENROOT_RESTRICT_DEV: settings.restrictDev,
      ENROOT_REMAP_ROOT: namespaces.user?.insideUid === 0,
      ENROOT_ALLOW_SUPERUSER: namespaces.user === undefined,
      ENROOT_UNSHARE_PID: namespaces.pid,
      ENROOT_UNSHARE_NET: namespaces.net,
      ENROOT_UNSHARE_IPC: namespaces.ipc,
      ENROOT_UNSHARE_UTS: namespaces.uts,
    };
    // A variable that means no is not there: scripts ask whether it is set.
    const host = Object.entries(environment).filter((entry): entry is [string, string] =>
      entry[1] !== undefined && !(entry[0] in flags) &&
      !(entry[0].startsWith("ENROOT_") && meansNo(entry[1]))
    );
    return {
      ...Object.fromEntries(host),
      ...Object.fromEntries(
        Object.keys(flags).filter((name) => flags[name]).map((name) => [name, "y"]),
      ),
      PATH: `${library}:${environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"}`,
      ENROOT_VERSION,
      ENROOT_LIBRARY_PATH: library,
      ENROOT_LIBEXEC_PATH: library,
      ENROOT_SYSCONF_PATH: settings.sysconfPath,
      ENROOT_CONFIG_PATH: settings.configPath,
      ENROOT_DATA_PATH: settings.dataPath,
      ENROOT_RUNTIME_PATH: settings.runtimePath,
      ENROOT_WORKDIR: settings.runtimePath,
      ENROOT_TEMP_PATH: settings.tempPath,
      ENROOT_PID: String(pid),
      ENROOT_ROOTFS: root.path,
      ENROOT_ENVIRON: this.#files.environment,
      ENROOT_MOUNTS: this.#files.mounts,
    };
  }
}

interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
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

/** The interpreter of a script, where this machine lacks it. */
function missingInterpreter(
  path: string,
  env: Readonly<Record<string, string>>,
): string | undefined {
  const interpreter = interpreterOf(path);
  if (interpreter === undefined) return undefined;
  const found = interpreter.startsWith("/")
    ? statSync(interpreter, { throwIfNoEntry: false })
    : findProgram(interpreter, env);
  return found === undefined ? interpreter : undefined;
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

/** A container that exists only as files, for tests of single hooks. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { rootedFiles } from "../../../lib/system/files/rooted_files.ts";
import type {
  ContainerNamespaces,
  HookContext,
  MountLine,
  RootedFiles,
  StartSettings,
} from "../../../lib/types/container.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("hooks");
let count = 0;

export interface HookFixture {
  readonly context: HookContext;
  readonly root: RootedFiles;
  /** The mounts that were made at once, in their order. */
  readonly now: readonly MountLine[];
  readonly later: readonly MountLine[];
  readonly variables: Map<string, string>;
  readonly messages: readonly string[];
}

interface FixtureOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly namespaces?: Partial<ContainerNamespaces>;
  readonly settings?: Partial<StartSettings>;
  readonly variables?: Readonly<Record<string, string>>;
  /** Makes the root's files. */
  readonly make?: (root: string) => void;
}

/** A map that makes the user who runs the tests root. */
export const ROOT_MAP = {
  insideUid: 0,
  outsideUid: process.getuid!(),
  insideGid: 0,
  outsideGid: process.getgid!(),
};

export function startSettings(directory: string): StartSettings {
  const path = (name: string) => join(directory, name);
  return {
    configPath: path("config"),
    sysconfPath: path("sysconf"),
    dataPath: path("data"),
    runtimePath: path("run"),
    tempPath: path("tmp"),
    loginShell: true,
    mountHome: false,
    restrictDev: false,
    imageMounts: "own",
    lockTimeoutMs: 30_000,
  };
}

export async function hookContext(options: FixtureOptions = {}): Promise<HookFixture> {
  const directory = join(scratch, String(count++));
  const path = join(directory, "root");
  for (const made of [path, join(directory, "run")]) mkdirSync(made, { recursive: true });
  options.make?.(path);
  const root = await rootedFiles(path);
  const now: MountLine[] = [], later: MountLine[] = [], messages: string[] = [];
  const variables = new Map(Object.entries(options.variables ?? {}));
  const namespaces = { user: ROOT_MAP, pid: false, net: false, ipc: false, uts: false };
  const context: HookContext = {
    environment: options.environment ?? {},
    namespaces: { ...namespaces, ...options.namespaces },
    settings: { ...startSettings(directory), ...options.settings },
    root,
    pid: process.pid,
    variables,
    setVariable: (name, value) => void variables.set(name, value),
    mount: (line) => void now.push(line),
    mountLater: (line) => void later.push(line),
    log: (_, message) => void messages.push(message),
  };
  return { context, root, now, later, variables, messages };
}

/** What this machine lacks for which command. */

import process from "node:process";
import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { checkContainers } from "./check_containers.ts";
import { checkEnroot, enrootReaders } from "./check_enroot.ts";
import { checkLimits } from "./check_limits.ts";
import { checkMachine } from "./check_machine.ts";
import { checkNetwork } from "./check_network.ts";
import { checkPaths } from "./check_paths.ts";
import { checkRegistries, parseRegistry } from "./check_registries.ts";
import { checkShare } from "./check_share.ts";
import { checkSquashfs } from "./check_squashfs.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import { type Machine, thisMachine } from "./machine.ts";

export interface ExamineOptions {
  /** Registries, or URIs that name one. Only these are contacted. */
  readonly registries?: readonly string[];
  /** Default: read from the environment and the files; a bad setting becomes a finding. */
  readonly settings?: Settings;
  /** Default: the one that this process runs on. */
  readonly machine?: Machine;
  readonly signal?: AbortSignal;
}

/**
 * Looks at the machine, the settings and the given registries. It changes nothing, but for a
 * directory that it makes in the share and removes at once. Throws code
 * `reference`, `unsupported` or `usage` for a text that names no registry, and code `aborted`.
 */
export async function examineMachine(options: ExamineOptions = {}): Promise<readonly Finding[]> {
  const registries = (options.registries ?? []).map(parseRegistry);
  const machine = options.machine ?? await thisMachine();
  const signal = options.signal ?? new AbortController().signal;
  const read = options.settings ?? await readSettings();
  if ("finding" in read) {
    return [
      ...checkMachine(machine, undefined),
      ...checkLimits(machine, machine.processors),
      read.finding,
    ];
  }
  return [
    ...checkMachine(machine, read),
    ...checkLimits(machine, read.maxProcessors),
    ...checkSettings(read),
    ...checkPaths(read, machine, currentDirectory()),
    ...checkShare(read, machine),
    ...await checkSquashfs(read),
    ...await checkEnroot(machine, read, enrootReaders(read.environment)),
    ...await checkNetwork(read),
    ...await checkContainers(machine, read),
    ...await checkRegistries(registries, read, machine, signal),
  ];
}

function checkSettings({ entries }: Settings): Finding[] {
  const found = new Findings("Settings");
  for (const { name, warning } of entries) {
    if (warning !== undefined) found.add("warning", name, FETCHING, warning);
  }
  return found.list;
}

/** Undefined when somebody removed it. */
function currentDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

async function readSettings(): Promise<Settings | { readonly finding: Finding }> {
  try {
    return await loadSettings();
  } catch (error) {
    const found = new Findings("Settings");
    const hint = error instanceof DenrootError ? error.hint : undefined;
    found.add("error", "Settings", FETCHING, messageOf(error), hint);
    return { finding: found.list[0]! };
  }
}

/** What this machine lacks for which command. */

import process from "node:process";
import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { checkMachine } from "./check_machine.ts";
import { checkNamespaces } from "./check_namespaces.ts";
import { checkNetwork } from "./check_network.ts";
import { checkPaths } from "./check_paths.ts";
import { checkRegistry, parseRegistry } from "./check_registry.ts";
import { checkSquashfs } from "./check_squashfs.ts";
import { type Finding, Findings } from "./finding.ts";
import { type Machine, thisMachine } from "./machine.ts";

export type { Finding, FindingStatus } from "./finding.ts";

export interface ExamineOptions {
  /** Registries to reach, or URIs that name one. None is asked without. */
  readonly registries?: readonly string[];
  /** Read from the environment and the files without; one that cannot be used is a finding. */
  readonly settings?: Settings;
  readonly machine?: Machine;
  readonly signal?: AbortSignal;
}

/**
 * Looks at the machine, the settings, and the registries that are named. Changes nothing. Throws
 * code `reference`, `unsupported` or `usage` for what names no registry, and `aborted`.
 */
export async function examineMachine(options: ExamineOptions = {}): Promise<readonly Finding[]> {
  const registries = new Set((options.registries ?? []).map(parseRegistry));
  const machine = options.machine ?? await thisMachine();
  const signal = options.signal ?? new AbortController().signal;
  const read = options.settings ?? await readSettings();
  if ("finding" in read) return [...checkMachine(machine, undefined), read.finding];
  const findings = [
    ...checkMachine(machine, read),
    ...checkPaths(read, machine, currentDirectory()),
    ...await checkSquashfs(read),
    ...await checkNetwork(read),
    ...await checkNamespaces(machine),
  ];
  for (const registry of registries) {
    findings.push(...await checkRegistry(registry, read, machine, signal));
  }
  return findings;
}

/** One that was removed has no path. */
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
    found.add("error", "Settings", ["import", "digest"], messageOf(error), hint);
    return { finding: found.list[0]! };
  }
}

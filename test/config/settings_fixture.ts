/** Settings from files and variables that a test gives. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { SettingEntry } from "../../lib/config/read_settings.ts";
import { loadSettings, type Settings } from "../../lib/config/settings.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

export const root = scratchDirectory("settings");
let count = 0;

export type Env = Readonly<Record<string, string | undefined>>;

/** Settings from `files` below a directory of its own, `env`, and lines that win over both. */
export async function load(
  env: Env = {},
  files: Readonly<Record<string, string>> = {},
  override: readonly string[] = [],
): Promise<Settings> {
  const sysconf = join(root, String(count++));
  mkdirSync(sysconf, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(sysconf, name)), { recursive: true });
    writeFileSync(join(sysconf, name), content);
  }
  return await loadSettings({
    HOME: "/home/me",
    PATH: process.env.PATH,
    ENROOT_SYSCONF_PATH: sysconf,
    ...env,
  }, { path: "/script", lines: override.map((text, index) => ({ line: index + 1, text })) });
}

export function entry(settings: Settings, name: string): SettingEntry {
  const found = settings.entries.find((entry) => entry.name === name);
  assert(found, `no entry ${name}`);
  return found;
}

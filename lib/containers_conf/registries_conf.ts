/** All of `registries.conf` and its drop-ins: found, read, merged (containers-registries.conf.d(5)). */

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DenrootError, messageOf } from "../errors.ts";
import type { RegistriesFile, RegistryRule, ShortNameMode } from "./registries_file.ts";

/** What the files say together. */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** Where names without a registry are looked for, in order. */
  readonly searchRegistries: readonly string[];
  /** Short name -> `HOST/REPOSITORY`. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly shortNameMode: ShortNameMode;
  /** `containers-auth.json` for the files of `podman login`, else a helper's name. */
  readonly credentialHelpers: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the machine's files are, and whose this process is. */
export interface System {
  readonly directory: string;
  readonly isRoot: boolean;
}

const SYSTEM: System = { directory: "/etc/containers", isRoot: process.geteuid?.() === 0 };
const FILE_LIMIT_BYTES = 1 << 20;
const FILES_LIMIT = 1000;

/**
 * Reads what podman and skopeo would read with this environment. No file at all is no
 * configuration, but `$CONTAINERS_REGISTRIES_CONF` must be there when it is set.
 *
 * Throws code `settings` with the file, the line where there is one, and the rule.
 */
export async function loadRegistriesConf(
  env: Environment,
  system: System = SYSTEM,
): Promise<RegistriesConf> {
  const files: RegistriesFile[] = [];
  for (const { path, isRequired } of await registriesConfPaths(env, system)) {
    const text = await readText(path, isRequired);
    if (text === undefined) continue;
    // Most machines have no such file, and need no TOML.
    const { parseRegistriesFile } = await import("./registries_file.ts");
    files.push(parseRegistriesFile(text, path));
  }
  return mergeRegistriesFiles(files);
}

/** Later files win: a prefix or an alias takes the place of its namesake, a list that of a list. */
export function mergeRegistriesFiles(files: readonly RegistriesFile[]): RegistriesConf {
  const rules = new Map<string, RegistryRule>();
  const aliases = new Map<string, string>();
  for (const file of files) {
    for (const rule of file.rules) rules.set(rule.prefix, rule);
    for (const [name, value] of file.aliases) aliases.set(name, value);
  }
  for (const [name, value] of aliases) if (value === "") aliases.delete(name);
  const last = <K extends keyof RegistriesFile>(key: K) =>
    files.findLast((file) => file[key] !== undefined)?.[key];
  return {
    rules: [...rules.values()],
    aliases,
    searchRegistries: last("searchRegistries") ?? [],
    shortNameMode: last("shortNameMode") ?? "permissive",
    credentialHelpers: last("credentialHelpers") ?? [],
  };
}

interface ConfPath {
  readonly path: string;
  readonly isRequired: boolean;
}

/**
 * The files in the order in which they are read: the main file, the system's drop-ins, the user's;
 * then `$CONTAINERS_REGISTRIES_CONF_OVERRIDE` and the aliases that podman has learned. A main file
 * of the user's own leaves the system's drop-ins out.
 */
async function registriesConfPaths(
  env: Environment,
  system: System,
): Promise<readonly ConfPath[]> {
  // Without a home there is nothing of the user's: a relative path would be anybody's.
  const home = env["HOME"] || "/nonexistent";
  const userDirectory = join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers");
  const named = env["CONTAINERS_REGISTRIES_CONF"] || env["REGISTRIES_CONFIG_PATH"];
  const userFile = join(userDirectory, "registries.conf");
  const isUsers = !named && await isThere(userFile);
  const main = named || (isUsers ? userFile : join(system.directory, "registries.conf"));
  const dropIns = [
    ...(isUsers ? [] : await dropInsOf(system.directory)),
    ...(await isThere(userDirectory) ? await dropInsOf(userDirectory) : []),
  ];
  const override = env["CONTAINERS_REGISTRIES_CONF_OVERRIDE"];
  const cache = system.isRoot ? "/var/cache" : env["XDG_CACHE_HOME"] || join(home, ".cache");
  return [
    { path: main, isRequired: Boolean(named) },
    ...dropIns.map((path) => ({ path, isRequired: false })),
    ...(override ? [{ path: override, isRequired: true }] : []),
    { path: join(cache, "containers/short-name-aliases.conf"), isRequired: false },
  ];
}

async function dropInsOf(directory: string): Promise<readonly string[]> {
  const path = join(directory, "registries.conf.d");
  let names: string[];
  try {
    const entries = await readdir(path, { withFileTypes: true });
    names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(path, error);
  }
  const files = names.filter((name) => name.endsWith(".conf")).sort();
  if (files.length > FILES_LIMIT) {
    throw new DenrootError("settings", `${path} holds more than ${FILES_LIMIT} files`);
  }
  return files.map((name) => join(path, name));
}

async function readText(path: string, isRequired: boolean): Promise<string | undefined> {
  if (!isRequired && !await isThere(path)) return undefined;
  try {
    const { size } = await stat(path);
    if (size > FILE_LIMIT_BYTES) throw new Error(`it has ${size} bytes, more than 1 MiB`);
    return await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** False also for what lies in a directory that we may not enter: another user's home. */
async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

function isMissing(error: unknown): boolean {
  return /^(ENOENT|ENOTDIR)$/.test(String((error as { code?: unknown }).code));
}

function unreadable(path: string, cause: unknown): DenrootError {
  return new DenrootError(
    "settings",
    `The configuration of registries in ${path} cannot be read: ${messageOf(cause)}`,
    { cause, hint: "Make it readable; CONTAINERS_REGISTRIES_CONF names another file" },
  );
}

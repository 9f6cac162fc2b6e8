/** All of `registries.conf` and its drop-ins: found, read, merged (containers-registries.conf.d(5)). */

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DenrootError, isMissing, messageOf } from "../errors.ts";
import type { RegistriesFile, RegistryRule, ShortNameMode } from "./registries_file.ts";

/** What all files say together. */
export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** The registries to search for names without a registry, in order. */
  readonly searchRegistries: readonly string[];
  /** Short name -> `HOST/REPOSITORY`. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly shortNameMode: ShortNameMode;
  /** `containers-auth.json` stands for the files of `podman login`; others are names of helpers. */
  readonly credentialHelpers: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the machine's files are, and whether this process is root's. */
interface System {
  readonly directory: string;
  readonly isRoot: boolean;
}

const SYSTEM: System = { directory: "/etc/containers", isRoot: process.geteuid?.() === 0 };
const FILE_LIMIT_BYTES = 1 << 20;
const FILES_LIMIT = 1000;

/**
 * Reads what podman and skopeo would read with this environment. A machine may have none of the
 * files, but the one that `$CONTAINERS_REGISTRIES_CONF` names must exist.
 *
 * Throws code `settings` with the file, the line if it is known, and the rule that is broken.
 */
export async function loadRegistriesConf(
  env: Environment,
  system: System = SYSTEM,
): Promise<RegistriesConf> {
  const files: RegistriesFile[] = [];
  for (const { path, isRequired } of await registriesConfPaths(env, system)) {
    const text = await readText(path, isRequired);
    if (text === undefined) continue;
    // Most machines have no such file and need no TOML parser.
    const { parseRegistriesFile } = await import("./registries_file.ts");
    files.push(parseRegistriesFile(text, path));
  }
  return mergeRegistriesFiles(files);
}

/** Later files win: a prefix or alias replaces the one of the same name, a list the whole list. */
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
 * The files in the order in which they are read: the main file, the system's drop-ins, the user's
 * drop-ins, `$CONTAINERS_REGISTRIES_CONF_OVERRIDE`, and the aliases that podman has learned. When
 * the user has an own main file, the system's drop-ins are not read.
 */
async function registriesConfPaths(
  env: Environment,
  system: System,
): Promise<readonly ConfPath[]> {
  // Without a home there are no user's files: a relative path could lead anywhere.
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

/** False also for a file in a directory that this user may not enter: another user's home. */
async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

function unreadable(path: string, cause: unknown): DenrootError {
  return new DenrootError(
    "settings",
    `The configuration of registries in ${path} cannot be read: ${messageOf(cause)}`,
    { cause, hint: "Make it readable; CONTAINERS_REGISTRIES_CONF names another file" },
  );
}

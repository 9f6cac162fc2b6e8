/** Reads the environment and `enroot.conf`, and notes where each value comes from. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DenrootError, hasCode, isMissing, messageOf } from "../errors.ts";
import { accountHome, accountId } from "../system/host/environment.ts";
import { runCommand } from "../system/process/run_command.ts";
import { expandValue, ExpansionError, UnsetVariable } from "./expand_value.ts";
import { meansNo } from "./means_no.ts";
import { ALL_SETTINGS } from "./table/setting_table.ts";

export interface Value {
  readonly value: string;
  /** `environment`, or the path of the file. */
  readonly origin: string;
  readonly note?: string;
}

export interface LoadedValues {
  readonly sysconfPath: Value;
  /** Every variable that is set and not empty. */
  readonly values: ReadonlyMap<string, Value>;
  /** The reason why a line of a file had no effect, by the name of the setting. */
  readonly ignored: ReadonlyMap<string, string>;
}

/** Packages and `make install` put enroot's files here. The first directory that exists counts. */
const SYSCONF_PATHS = ["/etc/enroot", "/usr/local/etc/enroot"] as const;

const FILE_LIMIT_BYTES = 1 << 20;
const FILES_LIMIT = 1000;
const SHELL_TIMEOUT_MS = 60_000;
const SHELL_OUTPUT_LIMIT_BYTES = 64 * 1024;

/** Lines of a file that set something, in the form of `enroot.conf`. */
export interface SettingLines {
  readonly path: string;
  readonly lines: readonly { readonly line: number; readonly text: string }[];
}

/**
 * The environment comes first, then `enroot.conf`, then `enroot.conf.d/*.conf` by name. As in
 * enroot, the first value that is not empty counts. The lines of `override` win over all of them, and
 * an empty value there takes the setting back.
 */
export async function loadValues(
  env: Readonly<Record<string, string | undefined>>,
  override?: SettingLines,
): Promise<LoadedValues> {
  const values = new Map<string, Value>();
  const ignored = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (value) values.set(name, { value, origin: "environment" });
  }
  if (!values.has("HOME")) {
    const home = accountHome();
    if (home !== undefined) values.set("HOME", { value: home, origin: "default" });
  }
  adoptOlderNames(values);

  const chosen = values.get("ENROOT_SYSCONF_PATH");
  const sysconfPath = chosen === undefined || meansNo(chosen.value) ? defaultSysconfPath() : chosen;
  for (const path of configurationFiles(sysconfPath.value)) {
    const text = readConfiguration(path) ?? "";
    const lines = text.split("\n").map((text, index) => ({ line: index + 1, text }));
    await loadLines({ path, lines }, values, ignored);
    adoptOlderNames(values);
  }
  if (override !== undefined) {
    const overriding = new Map<string, Value>();
    await loadLines(override, values, ignored, overriding);
    adoptOlderNames(overriding);
    for (const [name, value] of overriding) {
      if (value.value === "") values.delete(name);
      else values.set(name, value);
    }
  }
  return { sysconfPath, values, ignored };
}

function defaultSysconfPath(): Value {
  for (const path of SYSCONF_PATHS) {
    if (isDirectory(path)) return { value: path, origin: "default" };
  }
  return { value: SYSCONF_PATHS[0], origin: "default" };
}

function adoptOlderNames(values: Map<string, Value>): void {
  for (const [name, { olderName }] of ALL_SETTINGS) {
    const value = olderName === undefined ? undefined : values.get(olderName);
    if (value === undefined || values.has(name)) continue;
    values.set(name, { ...value, note: `set by its older name ${olderName}` });
  }
}

function configurationFiles(sysconfPath: string): string[] {
  const main = join(sysconfPath, "enroot.conf");
  const directory = `${main}.d`;
  if (!isDirectory(directory)) return [main];
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw unreadable(directory, error);
  }
  const dropIns = names.filter((name) => name.endsWith(".conf") && !name.startsWith(".")).sort();
  if (dropIns.length > FILES_LIMIT) {
    throw new DenrootError("settings", `${directory} holds more than ${FILES_LIMIT} files`);
  }
  return [main, ...dropIns.map((name) => join(directory, name))];
}

/** Without `overriding`, only names that have no value yet get one. */
async function loadLines(
  { path, lines }: SettingLines,
  values: Map<string, Value>,
  ignored: Map<string, string>,
  overriding?: Map<string, Value>,
): Promise<void> {
  for (const { line, text } of lines) {
    const assignment = parseLine(text);
    if (assignment === undefined) continue;
    const { name, raw } = assignment;
    if (overriding === undefined && values.has(name)) continue;
    const lookUp = (variable: string) => (overriding?.get(variable) ?? values.get(variable))?.value;
    try {
      const value = await expandValue(raw, {
        lookUp,
        userId: accountId(),
        shell: (text) => evaluateByShell(text, new Map([...values, ...overriding ?? []])),
      });
      if (overriding !== undefined) overriding.set(name, { value, origin: path });
      else if (value !== "") values.set(name, { value, origin: path });
    } catch (error) {
      if (error instanceof UnsetVariable) {
        ignored.set(name, `${path} is ignored: it uses ${error.variable}, which is not set`);
        continue;
      }
      if (!(error instanceof ExpansionError)) throw error;
      throw new DenrootError(
        "settings",
        `${name} in ${path}, line ${line}, cannot be read: ${error.message}`,
        { cause: error, hint: "Values follow the rules of the shell; correct or remove the line" },
      );
    }
  }
}

/** `NAME VALUE` or `NAME=VALUE`; undefined for other lines and for names that enroot does not read. */
function parseLine(line: string): { name: string; raw: string } | undefined {
  const match = /^[ \t]*([^ \t=]+)[ \t]*=?[ \t]*(.*?)[ \t\r]*$/.exec(line);
  if (match === null) return undefined;
  const name = match[1]!;
  const known = /^(?:DEN|EN)ROOT_[A-Z_]+$/.test(name) ||
    /^(?:MELLANOX|NVIDIA)_[A-Za-z0-9_]*$/.test(name) ||
    /^SSL_CERT_(?:DIR|FILE)$/.test(name) ||
    /^(?:all|no|http|https)_proxy$/.test(name);
  return known ? { name, raw: match[2]! } : undefined;
}

/** Uses bash where the machine has it, because enroot's files are written for bash. */
async function evaluateByShell(
  text: string,
  values: ReadonlyMap<string, Value>,
): Promise<string> {
  const env: Record<string, string> = {};
  for (const [name, { value }] of values) env[name] = value;
  // A shell would run the files that these two name.
  delete env.BASH_ENV;
  delete env.ENV;
  const script = 'set -u; eval "set -- $1" || exit; printf %s "$*"';
  const run = (shell: string) =>
    runCommand(shell, ["-c", script, shell, text], {
      env,
      timeoutMs: SHELL_TIMEOUT_MS,
      maxOutputBytes: SHELL_OUTPUT_LIMIT_BYTES,
    });
  let result;
  try {
    result = await run("bash").catch((error) => {
      if (hasCode(error, "not_found")) return run("sh");
      throw error;
    });
  } catch (error) {
    throw new ExpansionError(`the shell could not be run: ${messageOf(error)}`);
  }
  if (result.exitCode === 0) return result.stdout.toString("utf8");
  const complaint = result.messages.trim();
  const unset = /(\w+): (?:unbound variable|parameter not set)/.exec(complaint)?.[1];
  if (unset !== undefined) throw new UnsetVariable(unset);
  throw new ExpansionError(`the shell failed: ${complaint.slice(0, 500) || "no message"}`);
}

function readConfiguration(path: string): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > FILE_LIMIT_BYTES) throw new Error(`it has ${size} bytes, more than 1 MiB`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function unreadable(path: string, error: unknown): DenrootError {
  return new DenrootError(
    "settings",
    `The settings in ${path} cannot be read: ${messageOf(error)}`,
    {
      cause: error,
      hint: "Make it readable, or set ENROOT_SYSCONF_PATH to another directory",
    },
  );
}

/** Becoming another program, in the state in which this one was started. */

import { readFileSync } from "node:fs";
import os from "node:os";
import process from "node:process";
import { check, cString, libc, stringArray } from "./libc_calls.ts";
import { SystemError } from "./system_error.ts";

const RLIMIT_FSIZE = 1;
const RLIMIT_NOFILE = 7;
const SIG_DFL = 0;
const SIG_IGN = 1;
/** The runtimes ignore them; a program would inherit that. */
const IGNORED_BY_RUNTIMES = ["SIGPIPE", "SIGXFSZ"] as const;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/** Soft and hard limit, in the words of proc(5). */
export type FileLimit = readonly [soft: string, hard: string];

/**
 * Becomes `path`, with this PID. `environment` holds `NAME=VALUE`. Only returns by throwing
 * {@link SystemError}.
 */
export function execute(
  path: string,
  argv: readonly string[],
  environment: readonly (string | Uint8Array)[],
): never {
  check(libc().execve(cString(path), stringArray(argv), stringArray(environment)), `run ${path}`);
  throw new SystemError(`run ${path}`, 0);
}

/** As {@link execute}, for a program that is open: it needs no path, nor `/proc`. */
export function executeOpen(
  descriptor: number,
  argv: readonly string[],
  environment: readonly (string | Uint8Array)[],
): never {
  check(libc().fexecve(descriptor, stringArray(argv), stringArray(environment)), "run a program");
  throw new SystemError("run a program", 0);
}

/**
 * Undoes what the runtimes do: they ignore some signals, catch others that were ignored, and raise
 * limits.
 */
export function restoreInherited(fileLimit: FileLimit, ignoredSignals: readonly number[]): void {
  for (const number of ignoredSignals) libc().signal(number, SIG_IGN);
  for (const name of IGNORED_BY_RUNTIMES) libc().signal(os.constants.signals[name], SIG_DFL);
  const limits = BigUint64Array.from(fileLimit.map(limitNumber));
  libc().setrlimit(RLIMIT_NOFILE, limits);
}

/**
 * The limit of open files that this process was started with. The runtimes raise their soft limit
 * to the hard one, so the parent's is taken for it where both have the same hard one.
 */
export function inheritedFileLimit(): FileLimit {
  const own = fileLimitOf("self");
  const parents = fileLimitOf(String(process.ppid));
  if (own === undefined) return ["1024", "4096"];
  return parents !== undefined && parents[1] === own[1] ? parents : own;
}

function fileLimitOf(pid: string): FileLimit | undefined {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits)!;
    return [soft!, hard!];
  } catch {
    return undefined;
  }
}

function limitNumber(word: string): bigint {
  return word === "unlimited" ? UNLIMITED : BigInt(word);
}

/** The longest file that this process and its children may write (RLIMIT_FSIZE). */
export function limitFileSize(bytes: bigint): void {
  libc().setrlimit(RLIMIT_FSIZE, BigUint64Array.of(bytes, bytes));
}

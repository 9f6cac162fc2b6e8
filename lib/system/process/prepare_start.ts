/** What has to be right before a command begins: its arguments, and the memory of the runtime. */

import process from "node:process";
import { memoryLimit, readLimits } from "../host/limits.ts";
import { systemFiles } from "../host/system_files.ts";
import { requireUtf8Arguments } from "../host/utf8_surroundings.ts";

/** With less than this, Bun's usual reservations leave too little for its threads. */
const PLENTY_BYTES = 8 * 1024 ** 3;
/**
 * With less than this, Bun may crash in the middle of an import. With its usual reservations it
 * cannot begin one there, and an error says so.
 */
export const LEAST_BYTES = 1_250_000_000;
/**
 * Bun reads these only when it starts: the memory for compiled code, in bytes, and the steps by which
 * it takes memory, in KiB. Both are a gigabyte by default; denroot needs far less.
 */
const RESERVATIONS = {
  BUN_JSC_jitMemoryReservationSize: "67108864",
  MIMALLOC_ARENA_RESERVE: "65536",
} as const;

/**
 * Compiles no JavaScript while the program runs. A program that takes some milliseconds gains nothing
 * by that, and would spend a quarter of its time on it.
 */
const SHORT_RUN = { BUN_JSC_useBaselineJIT: "0" } as const;

/** Bun has it; its types and those of Deno do not show it. */
type Execute = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

/**
 * `words` is the whole command line, and `args` the arguments at its end. Throws code `usage` for
 * arguments that are not UTF-8.
 */
export function prepareStart(args: readonly string[], words: readonly string[]): void {
  requireUtf8Arguments(args);
  fitIntoMemory(words);
}

/** The variables with which this program, run anew, does a short work in less time. */
export function shortRunVariables(): Readonly<Record<string, string>> {
  return "Bun" in globalThis ? SHORT_RUN : {};
}

/** Keeps other programs from inheriting what was for this one alone. */
export function forgetRuntimeOptions(): void {
  for (const name of Object.keys(SHORT_RUN)) delete process.env[name];
  forgetReservations();
}

/** Gives whether they were set. */
function forgetReservations(): boolean {
  const names = Object.keys(RESERVATIONS);
  if (names.some((name) => process.env[name] === undefined)) return false;
  for (const name of names) delete process.env[name];
  return true;
}

/**
 * Runs the program anew in this process, once, where a limit leaves too little address space for
 * Bun's usual reservations. Deno needs more, and does not start at all there.
 */
function fitIntoMemory(words: readonly string[]): void {
  if (!("Bun" in globalThis) || forgetReservations()) return;
  const limit = memoryLimit(readLimits(systemFiles));
  if (limit === undefined || limit[1] < LEAST_BYTES || limit[1] >= PLENTY_BYTES) return;
  const { execve } = process as unknown as { readonly execve: Execute };
  // The path of its file may name another one by now.
  execve("/proc/self/exe", words, { ...process.env, ...RESERVATIONS });
}

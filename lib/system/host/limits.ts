/** The limits of this process (getrlimit(2)), as the kernel lists them. */

import type { SystemFiles } from "./system_files.ts";

interface LimitKind {
  /** The name in /proc/PID/limits. */
  readonly title: string;
  /** For people. */
  readonly label: string;
  /** What one unit of `ulimit` stands for there: bytes, seconds or a count. */
  readonly unit: number;
}

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 ** 2;
/** By the option of the shell's `ulimit`. */
const KINDS = {
  v: { title: "Max address space", label: "address space", unit: KIBIBYTE },
  d: { title: "Max data size", label: "data", unit: KIBIBYTE },
  f: { title: "Max file size", label: "the size of a file", unit: KIBIBYTE },
  n: { title: "Max open files", label: "open files", unit: 1 },
  u: { title: "Max processes", label: "processes and threads of this user", unit: 1 },
  s: { title: "Max stack size", label: "a stack", unit: KIBIBYTE },
  t: { title: "Max cpu time", label: "processor time", unit: 1 },
} as const satisfies Readonly<Record<string, LimitKind>>;

/** The option of the shell's `ulimit` that shows and sets it. */
export type LimitLetter = keyof typeof KINDS;

/** Those that are set, in bytes, seconds or a count: the soft ones, which count. */
export type Limits = ReadonlyMap<LimitLetter, number>;

/** Empty where there is no /proc. */
export function readLimits(files: SystemFiles): Limits {
  const text = files.read("/proc/self/limits") ?? "";
  const found = new Map<LimitLetter, number>();
  for (const [letter, { title }] of Object.entries(KINDS)) {
    const soft = new RegExp(`^${title} +(\\d+)`, "m").exec(text)?.[1];
    if (soft !== undefined) found.set(letter as LimitLetter, Number(soft));
  }
  return found;
}

/** The smaller one of the limits on memory, if there is one. */
export function memoryLimit(limits: Limits): readonly [LimitLetter, number] | undefined {
  const set = (["v", "d"] as const).flatMap((letter) => {
    const value = limits.get(letter);
    return value === undefined ? [] : [[letter, value] as const];
  });
  return set.sort(([, one], [, other]) => one - other)[0];
}

/** What mksquashfs takes with one arena of malloc(3): without its threads, and for each processor. */
const PACKING_BYTES = 128 * MEBIBYTE;
const BUFFER_BYTES = 8 * MEBIBYTE;
const THREADS = 3;
/** glibc's default where there is no limit. */
const STACK_BYTES = 2 * MEBIBYTE;

/** At most `processors`, and no more than mksquashfs has address space for; at least 1. */
export function processorsWithin(limits: Limits, processors: number): number {
  const memory = memoryLimit(limits);
  if (memory === undefined) return processors;
  const each = BUFFER_BYTES + THREADS * (limits.get("s") ?? STACK_BYTES);
  const most = Math.floor((memory[1] - PACKING_BYTES) / each);
  return Math.max(1, Math.min(processors, most));
}

/** `address space: 2048 MB (ulimit -v 2000000)`. */
export function limitText(letter: LimitLetter, value: number): string {
  return `${KINDS[letter].label}: ${limitValue(letter, value)}`;
}

/** `2048 MB (ulimit -v 2000000)`. */
export function limitValue(letter: LimitLetter, value: number): string {
  const { unit } = KINDS[letter];
  const shown = unit === KIBIBYTE ? sizeText(value) : letter === "t" ? `${value} s` : value;
  return `${shown} (ulimit -${letter} ${Math.floor(value / unit)})`;
}

function sizeText(bytes: number): string {
  return bytes < 10_000_000 ? `${Math.floor(bytes / 1000)} kB` : `${Math.floor(bytes / 1e6)} MB`;
}

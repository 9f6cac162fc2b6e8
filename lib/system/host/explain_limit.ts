/** An error that a limit of the surroundings caused: which limit it was, and its value. */

import { DenrootError, messageOf } from "../../errors.ts";
import { type Controller, tightestGroupLimit } from "./control_groups.ts";
import { type LimitLetter, limitText, readLimits } from "./limits.ts";
import { type SystemFiles, systemFiles } from "./system_files.ts";

interface Sign {
  /** In the text of an error: of the runtimes, of the kernel, or about a program that ended. */
  readonly pattern: RegExp;
  readonly happened: string;
  readonly limits: readonly LimitLetter[];
  readonly controller?: Controller;
  /** What to look at where none of the limits is set. */
  readonly otherwise?: string;
}

const MORE_MEMORY = "This machine has no memory left for it";

const SIGNS: readonly Sign[] = [
  {
    pattern: /\bEMFILE\b|too many open files(?! in system)|os error 24\b/i,
    happened: "denroot can open no more files",
    limits: ["n"],
    // With very few, not even the limits can be read.
    otherwise:
      "The limit on open files is too low: ulimit -n shows it, and raises it up to ulimit -Hn",
  },
  {
    pattern: /\bENFILE\b|too many open files in system|os error 23\b/i,
    happened: "This machine can open no more files",
    limits: [],
    otherwise: "All programs together have too many open files (sysctl fs.file-max)",
  },
  {
    pattern: /\bEFBIG\b|\bSIGXFSZ\b|file too large|os error 27\b/i,
    happened: "A file became too large",
    limits: ["f"],
    otherwise: "This file system takes no files of that size",
  },
  { pattern: /\bSIGXCPU\b/, happened: "The processor time is used up", limits: ["t"] },
  { pattern: /\bSIGSEGV\b/, happened: "A program crashed", limits: ["s", "v", "d"] },
  {
    pattern: /\bEAGAIN\b|create thread|spawn worker thread|resource temporarily|os error 11\b/i,
    happened: "denroot can start no more threads and programs",
    limits: ["u", "v", "d"],
    controller: "pids",
    otherwise: MORE_MEMORY,
  },
  {
    pattern: /\bENOMEM\b|out of memory|cannot allocate|allocation failed|os error 12\b/i,
    happened: "denroot can get no more memory",
    limits: ["v", "d"],
    controller: "memory",
    otherwise: MORE_MEMORY,
  },
  {
    pattern: /requires the JIT/,
    happened: "denroot can get no memory for programs",
    limits: ["v", "d"],
    otherwise: "A security module or a seccomp filter forbids memory for programs here",
  },
  {
    pattern: /\bSIGKILL\b/,
    happened: "A program was killed",
    limits: ["t"],
    controller: "memory",
    otherwise: "The kernel kills programs when the memory is used up; its log (dmesg) says so",
  },
];

/** What stands before `limitText`. */
const ONE = "The limit here is";
const SEVERAL = "One of the limits here is too low:";

/**
 * `error` with a hint that names the limit behind it. Undefined where no limit explains it. An error
 * that is no {@link DenrootError} becomes one with code `limit`.
 */
export function explainLimit(
  error: unknown,
  files: SystemFiles = systemFiles,
): DenrootError | undefined {
  const text = textsOf(error).join("\n");
  const sign = SIGNS.find(({ pattern }) => pattern.test(text));
  if (sign === undefined) return undefined;
  const hint = hintOf(sign, files);
  if (hint === undefined) return undefined;
  // By its name: it may come from another copy of the class.
  if (error instanceof Error && error.name === "DenrootError") {
    const { code, message } = error as DenrootError;
    return new DenrootError(code, message, { cause: error, hint });
  }
  return new DenrootError("limit", `${sign.happened}: ${messageOf(error)}`, { cause: error, hint });
}

function hintOf({ limits, controller, otherwise }: Sign, files: SystemFiles): string | undefined {
  const set = readLimits(files);
  const group = controller && tightestGroupLimit(files, controller);
  const found = [
    ...limits.flatMap((letter) => {
      const value = set.get(letter);
      return value === undefined ? [] : [limitText(letter, value)];
    }),
    ...(group === undefined ? [] : [
      controller === "memory"
        ? `memory of the control group: ${Math.floor(group.limit / 1e6)} MB (memory.max)`
        : `tasks in the control group: ${group.limit} (pids.max)`,
    ]),
  ];
  if (found.length === 0) return otherwise;
  return `${found.length === 1 ? ONE : SEVERAL} ${found.join(", ")}. Raise it, or ask the ` +
    "scheduler or the administrator for more";
}

/** The messages of the error and its causes. A chain may be a circle. */
function textsOf(error: unknown): string[] {
  const seen = new Set<unknown>();
  for (let current = error; current instanceof Error && !seen.has(current);) {
    seen.add(current);
    current = current.cause;
  }
  return [...seen].map(messageOf);
}

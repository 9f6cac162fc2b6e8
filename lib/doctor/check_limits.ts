/** The limits of this process (`ulimit`) and of its control group, and which of them are too low. */

import { tightestGroupLimit } from "../system/host/control_groups.ts";
import { type LimitLetter, limitValue, readLimits } from "../system/host/limits.ts";
import { LEAST_BYTES } from "../system/process/prepare_start.ts";
import { FETCHING, type Finding, Findings, type FindingStatus } from "./finding.ts";
import type { Machine } from "./machine.ts";

const IMPORT = ["import"];
const RAISE = "Raise it in the shell or in limits.conf, or ask the scheduler for more";

interface Rule {
  readonly letter: LimitLetter;
  readonly subject: string;
  readonly affects: readonly string[];
  /** A lower limit is found. */
  readonly least: (processors: number) => number;
  readonly status: FindingStatus;
  readonly why: string;
}

const RULES: readonly Rule[] = [
  {
    letter: "v",
    subject: "Address space",
    affects: IMPORT,
    least: () => LEAST_BYTES,
    status: "error",
    why: `An import needs ${LEAST_BYTES / 1e6} MB at least`,
  },
  {
    letter: "d",
    subject: "Data",
    affects: IMPORT,
    least: () => LEAST_BYTES,
    status: "error",
    why: `An import needs ${LEAST_BYTES / 1e6} MB at least`,
  },
  {
    letter: "f",
    subject: "File size",
    affects: IMPORT,
    least: () => 20e9,
    status: "warning",
    why: "A larger layer or image cannot be written",
  },
  {
    letter: "n",
    subject: "Open files",
    affects: FETCHING,
    least: () => 256,
    status: "warning",
    why: "Each connection and each layer takes some",
  },
  {
    letter: "u",
    subject: "Processes",
    affects: FETCHING,
    least: (processors) => 64 + 4 * processors,
    status: "warning",
    why: "Threads count too, and those of all programs of this user",
  },
  {
    letter: "s",
    subject: "Stack",
    affects: FETCHING,
    least: () => 1024 ** 2,
    status: "warning",
    why: "denroot may crash with such a small one",
  },
  {
    letter: "t",
    subject: "Processor time",
    affects: IMPORT,
    least: () => 3600,
    status: "warning",
    why: "The kernel kills an import that takes more",
  },
];

/** One line says that all is well; else there is one for each limit that is too low. */
export function checkLimits(machine: Machine, processors: number): Finding[] {
  const found = new Findings("Limits");
  const limits = readLimits(machine);
  for (const { letter, subject, affects, least, status, why } of RULES) {
    const value = limits.get(letter);
    if (value === undefined || value >= least(processors)) continue;
    found.add(status, subject, affects, `${limitValue(letter, value)} is low`, `${why}. ${RAISE}`);
  }
  const tasks = tightestGroupLimit(machine, "pids");
  if (tasks !== undefined && tasks.limit - tasks.used < 64 + 4 * processors) {
    const message = `${tasks.used} of ${tasks.limit} in the control group are in use`;
    found.add("warning", "Tasks", FETCHING, message, "Ask the scheduler for more (pids.max)");
  }
  if (found.list.length === 0) found.ok("ulimit", FETCHING, "no limit is too low for denroot");
  return found.list;
}

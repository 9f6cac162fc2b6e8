/** Running a program and measuring it: wall time, processor time, peak memory. */

import { readdirSync, readFileSync } from "node:fs";
import { startProgram } from "../../test/helpers/run_program.ts";

/** Between two looks at a running program. */
const LOOK_MS = 20;

export interface Measurement {
  readonly wallS: number;
  /** User and system time of the program and of all that it ran. */
  readonly cpuS: number;
  /** What the programs that it ran have of that, such as mksquashfs. */
  readonly childCpuS: number;
  /** The program's own, not that of what it ran; 0 where it ended too soon to be seen. */
  readonly peakMiB: number;
}

interface MeasureOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Read as standard input. */
  readonly input?: string;
  readonly cwd?: string;
}

/** Runs a command to its end; throws, with what it said, when it fails. */
export async function measure(
  command: readonly string[],
  options: MeasureOptions = {},
): Promise<Measurement> {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&2; time "$@" < "$INPUT" > /dev/null 2>&3';
  const started = performance.now();
  const shell = startProgram("bash", ["-c", script, "measure", ...command], {
    env: { ...process.env, ...options.env, INPUT: options.input ?? "/dev/null" },
    cwd: options.cwd,
    timeoutMs: 3_600_000,
  });
  let peakKiB = 0;
  let childCpuS = 0;
  const timer = setInterval(() => {
    for (const pid of childrenOf(shell.pid)) {
      peakKiB = Math.max(peakKiB, peakOf(pid));
      childCpuS = Math.max(childCpuS, cpuOfChildren(pid));
    }
  }, LOOK_MS);
  const result = await shell.done;
  const wallS = (performance.now() - started) / 1000;
  clearInterval(timer);
  const [user, system] = (result.stderr.trimEnd().split("\n").at(-1) ?? "").split(" ").map(Number);
  if (result.exitCode !== 0) {
    throw new Error(`${command.join(" ")}: exit ${result.exitCode}\n${result.stderr.slice(-3000)}`);
  }
  return { wallS, cpuS: (user ?? 0) + (system ?? 0), childCpuS, peakMiB: peakKiB / 1024 };
}

/** Each figure is the median of its own values, whichever measurement it comes from. */
export function median(measurements: readonly Measurement[]): Measurement {
  const middle = (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const half = Math.floor(sorted.length / 2);
    return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  };
  return {
    wallS: middle(measurements.map((one) => one.wallS)),
    cpuS: middle(measurements.map((one) => one.cpuS)),
    childCpuS: middle(measurements.map((one) => one.childCpuS)),
    // Memory is a promise about the worst.
    peakMiB: Math.max(...measurements.map((one) => one.peakMiB)),
  };
}

/** Seconds of the processes that a process started: those that run, and those that ended. */
function cpuOfChildren(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + cpuOf(child).own, cpuOf(pid).ended);
}

/** By the kernel's clock of 100 ticks a second. */
function cpuOf(pid: number): { readonly own: number; readonly ended: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    const [user, system, endedUser, endedSystem] = stat.slice(11, 15).map(Number);
    return { own: (user! + system!) / 100, ended: (endedUser! + endedSystem!) / 100 };
  } catch {
    return { own: 0, ended: 0 };
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
      .filter((child) => child > 0);
  } catch {
    return [];
  }
}

function peakOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** How many processors this process may run on. */
export function processors(): number {
  const list = readFileSync("/proc/self/status", "utf8").match(/Cpus_allowed_list:\s+(\S+)/)?.[1];
  if (list === undefined) return readdirSync("/sys/devices/system/cpu").length;
  return list.split(",").reduce((count, part) => {
    const [first, last] = part.split("-").map(Number);
    return count + (last === undefined ? 1 : last - first! + 1);
  }, 0);
}

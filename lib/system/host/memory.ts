/** How much memory this process can still take. */

import { roomIn, tightestGroupLimit } from "./control_groups.ts";
import type { SystemFiles } from "./system_files.ts";

interface AvailableMemory {
  readonly bytes: number;
  /** What limits it. */
  readonly limitedBy: "machine" | "control group";
}

/** What the machine and the control group leave, whichever is less; undefined if unknown. */
export function availableMemory(files: SystemFiles): AvailableMemory | undefined {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(files.read("/proc/meminfo") ?? "")?.[1];
  const machine = kilobytes === undefined ? Infinity : Number(kilobytes) * 1024;
  const tightest = tightestGroupLimit(files, "memory");
  const group = tightest === undefined ? Infinity : roomIn(tightest);
  const bytes = Math.min(machine, group);
  if (bytes === Infinity) return undefined;
  return { bytes, limitedBy: group < machine ? "control group" : "machine" };
}

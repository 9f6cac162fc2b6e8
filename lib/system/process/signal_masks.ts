/** What this process does with signals, as it was started (proc(5)). */

import { readFileSync } from "node:fs";

/**
 * The numbers of the signals that this process ignored when it began. It is read when this module is
 * loaded, which has to be early: half a second after its start Deno catches USR1 for its debugger, and
 * INT, TERM and HUP with it, whether or not they were ignored. On a machine that needs so long to load the
 * source of denroot, these three are lost.
 */
export const ignoredAtStart: ReadonlySet<number> = signalsIn("SigIgn");

/** The numbers of the signals that this process blocks. */
export function blockedSignals(): ReadonlySet<number> {
  return signalsIn("SigBlk");
}

function signalsIn(mask: "SigIgn" | "SigBlk"): ReadonlySet<number> {
  const text = new RegExp(`^${mask}:\\s*([0-9a-f]+)$`, "m").exec(readStatus())?.[1] ?? "0";
  const bits = BigInt(`0x${text}`);
  const numbers = Array.from({ length: 64 }, (_, bit) => bit + 1);
  return new Set(numbers.filter((number) => (bits >> BigInt(number - 1) & 1n) === 1n));
}

function readStatus(): string {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return "";
  }
}

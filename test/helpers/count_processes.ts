/** Looks for processes of which only the command line is known. */

import { readdirSync, readFileSync } from "node:fs";

/** How many processes have exactly this command line. */
export function countProcesses(...words: readonly string[]): number {
  const line = words.map((word) => `${word}\0`).join("");
  return readdirSync("/proc").filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8") === line;
    } catch {
      return false;
    }
  }).length;
}

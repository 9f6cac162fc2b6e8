/** What the benchmark prints. */

import type { Limit } from "./limit.ts";
import type { Measurement } from "./measure.ts";

/** What a row is compared with. */
interface Goal {
  readonly limitS?: number;
  /** The ratio to the limit that is to be reached. */
  readonly target?: number;
}

export function sayLimit(title: string, limit: Limit): void {
  say(
    `Limit with ${title}: ${limit.seconds.toFixed(2)} s (mksquashfs alone ` +
      `${limit.packWallS.toFixed(2)} s, all work per processor ` +
      `${limit.workPerProcessorS.toFixed(2)} s)`,
  );
}

export function header(): void {
  say(
    "case".padEnd(42) + "program".padEnd(22) + "wall s".padStart(8) + "own cpu s".padStart(11) +
      "other cpu s".padStart(13) +
      "limit s".padStart(9) + "ratio".padStart(7) + "goal".padStart(6) + "peak MiB".padStart(10),
  );
}

export function row(title: string, name: string, result: Measurement, one: Goal): void {
  const ratio = one.limitS === undefined ? "-" : (result.wallS / one.limitS).toFixed(2);
  say(
    title.padEnd(42) + name.padEnd(22) + result.wallS.toFixed(2).padStart(8) +
      (result.cpuS - result.childCpuS).toFixed(2).padStart(11) +
      result.childCpuS.toFixed(2).padStart(13) + (one.limitS?.toFixed(2) ?? "-").padStart(9) +
      ratio.padStart(7) + (one.target?.toFixed(1) ?? "-").padStart(6) +
      result.peakMiB.toFixed(0).padStart(10),
  );
}

export function mib(bytes: number): string {
  return (bytes / 1048576).toFixed(0);
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

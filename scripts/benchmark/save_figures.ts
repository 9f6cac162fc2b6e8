/** Writes what one run of the benchmark measured as the file that the plot and the page are made from. */

import { writeFileSync } from "node:fs";
import { VERSION } from "../../lib/system/version.ts";
import type { PerformanceFigures, PerformanceRun } from "../pictures/performance.ts";
import type { BenchImage } from "./images.ts";
import { type Measurement, processors } from "./measure.ts";

/** One program in one case. */
export interface BenchResult extends Measurement {
  readonly case: string;
  readonly program: string;
  /** Whose squash options it packed with. */
  readonly options: "denroot" | "enroot";
  /** Seconds that no import can take less of in this case. */
  readonly limitS: number;
}

/** Seconds that no import can beat, by whose squash options it has. */
export type Limits = Readonly<Record<BenchResult["options"], number>>;

export interface BenchFigures {
  readonly image: BenchImage;
  readonly mergedBytes: number;
  readonly limits: Limits;
  readonly results: readonly BenchResult[];
}

export function saveFigures(file: string, figures: BenchFigures): void {
  writeFileSync(file, `${JSON.stringify(performanceFigures(figures), undefined, 2)}\n`);
}

function performanceFigures(
  { image, mergedBytes, limits, results }: BenchFigures,
): PerformanceFigures {
  const stored = (image.storedBytes / 1048576).toFixed(0);
  const merged = (mergedBytes / 1073741824).toFixed(2);
  return {
    image: `${stored} MiB in ${image.tars.length} gzip layers, ${merged} GiB merged`,
    machine: `${processors()} cores, registry on the same machine`,
    version: VERSION,
    groups: (["denroot", "enroot"] as const).map((options) => ({
      title: `${options}'s squash options`,
      limitSeconds: round(limits[options]),
      runs: results.filter((result) => result.options === options)
        .map(performanceRun),
    })),
  };
}

function performanceRun(result: BenchResult): PerformanceRun {
  return {
    case: result.case,
    program: result.program,
    seconds: round(result.wallS),
    toLimit: round(result.wallS / result.limitS),
    ownCpuSeconds: round(result.cpuS - result.childCpuS),
    otherCpuSeconds: round(result.childCpuS),
    // enroot is many programs: the peak of its shell says nothing.
    ...(result.program.startsWith("enroot") ? {} : { memoryMiB: Math.round(result.peakMiB) }),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

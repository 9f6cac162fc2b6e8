/** The time that no import on this machine can beat, by the best native programs. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../test/helpers/run_program.ts";
import type { BenchImage } from "./images.ts";
import { measure, median, processors } from "./measure.ts";

export interface Limit {
  readonly seconds: number;
  /** mksquashfs alone on the flattened archive from the page cache. */
  readonly packWallS: number;
  /** All work that has to be done, shared evenly among the processors. */
  readonly workPerProcessorS: number;
}

export async function measureLimit(
  image: BenchImage,
  squashOptions: string,
  work: string,
  runs: number,
): Promise<Limit> {
  const flat = image.flat!;
  const output = join(work, "limit.sqsh");
  const options = squashOptions.split(/\s+/).filter((word) => word !== "");
  await runProgram("bash", ["-c", 'cat "$@" > /dev/null', "warm", flat, ...image.blobs]);
  const packing = [];
  for (let run = 0; run < runs; run++) {
    rmSync(output, { force: true });
    packing.push(
      await measure([
        "mksquashfs",
        "-",
        output,
        "-tar",
        "-no-duplicates",
        "-all-root",
        "-no-progress",
        "-quiet",
        ...options,
      ], { input: flat }),
    );
  }
  rmSync(output, { force: true });
  const pack = median(packing);
  let cpuS = pack.cpuS;
  for (const [index, blob] of image.blobs.entries()) {
    cpuS += (await measure(["igzip", "-d", "-c", blob])).cpuS;
    cpuS += (await measure(["openssl", "dgst", "-sha256", blob])).cpuS;
    cpuS += (await measure(["openssl", "dgst", "-sha256", image.tars[index]!])).cpuS;
  }
  const workPerProcessorS = cpuS / processors();
  return {
    seconds: Math.max(pack.wallS, workPerProcessorS),
    packWallS: pack.wallS,
    workPerProcessorS,
  };
}

/**
 * The time that no import on this machine can beat, by the best native programs and the mksquashfs
 * that denroot itself runs.
 */

import { rmSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { mksquashfsArguments } from "../../lib/squashfs/mksquashfs_call.ts";
import { type Architecture, squashfsTool } from "../../test/helpers/release.ts";
import { runProgram } from "../../test/helpers/run_program.ts";
import type { BenchImage } from "./images.ts";
import { measure, median, processors } from "./measure.ts";

export interface Limit {
  readonly seconds: number;
  /** mksquashfs on the flattened archive from the page cache, until the image is on the disk. */
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
  await runProgram("bash", ["-c", 'cat "$@" > /dev/null', "warm", flat, ...image.blobs]);
  const packing = [];
  for (let run = 0; run < runs; run++) {
    rmSync(output, { force: true });
    packing.push(await measure(packDurably(output, squashOptions), { input: flat }));
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

/** Packs standard input with denroot's arguments, and writes the image to the disk meanwhile. */
function packDurably(output: string, squashOptions: string): string[] {
  const script = `output=$1; shift
    (while sleep 0.2; do sync --data "$output"; done) 2> /dev/null 3>&- & flusher=$!
    "$@" || exit
    kill "$flusher"
    sync "$output"`;
  const path = mksquashfs();
  const settings = {
    mksquashfs: { setsRootTime: true },
    squashOptions,
    processors: processors(),
    rootMode: 0o755,
    time: 0,
  };
  return ["bash", "-c", script, "pack", output, path, ...mksquashfsArguments(output, settings)];
}

/** The one that denroot's executable carries. */
export function mksquashfs(): string {
  return squashfsTool(arch() as Architecture, "mksquashfs");
}

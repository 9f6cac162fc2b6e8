/** Imports the benchmark's images from a loopback registry and prints a table of how long it took. */

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SETTINGS } from "../../lib/config/table/setting_table.ts";
import { findProgram, runProgram } from "../../test/helpers/run_program.ts";
import { type Registry, startRegistry } from "../../test/helpers/registry_server.ts";
import { startWireProxy, type WireProxy } from "../../test/helpers/wire_proxy.ts";
import { type BenchImage, type ImageName, makeImage } from "./images.ts";
import { measureLimit, mksquashfs } from "./limit.ts";
import { measure, type Measurement, median, processors } from "./measure.ts";
import { type BenchResult, type Limits, saveFigures } from "./save_figures.ts";
import { header, mib, row, say, sayLimit } from "./table.ts";

const usage = `Usage: scripts/bench [options]

  --image NAME   packages (1 GB), small-files (300,000); both unless told
  --only NAME    only the programs whose name holds NAME: executable, source, deno, enroot
  --runs N       the median of N runs, 3 unless told
  --save FILE    writes the figures of the image "packages" there, as docs/performance.json has them
  --memory       peak memory on an image ten times as large and on 1,000,000 entries instead
  --share        many simulated nodes, one import: see --share --help
  --startup      size, start-up times and memory while waiting instead
  --start        start-up times of containers instead
  --copy         copies between registries and archives instead; --copy --help has its options
  --slurm [IMAGE]  times of steps of a Slurm job in containers instead; DENROOT_TEST_PYXIS names a
                 spank_pyxis.so for the Slurm of this machine
  --packing      what mksquashfs's options cost import, create, start and reading instead;
                 --only and --runs as above
  --stages       what each stage of an import takes, and a model of more processors, instead; with
                 --large on an image of 10 GB, which needs 40 GB on the disk
  --work DIR     where images are kept (default: denroot-bench in the temporary directory)
`;

/** denroot's default, and enroot's. */
const fastOptions = SETTINGS.ENROOT_SQUASH_OPTIONS.default;
const enrootOptions = "-comp lzo -noD";
const throttledBytesPerSecond = 100e6;

const project = fileURLToPath(new URL("../..", import.meta.url));
const bun = join(project, "node_modules/.bin/bun");
const deno = join(project, "node_modules/.bin/deno");
const programs: Readonly<Record<string, readonly string[]>> = {
  "denroot, executable": [join(project, "dist/denroot")],
  "denroot, Bun": [bun, join(project, "cli.ts")],
  "denroot, Deno": [deno, "run", "-A", "--no-check", join(project, "cli.ts")],
};

interface Options {
  readonly images: readonly ImageName[];
  readonly only: string;
  readonly runs: number;
  readonly work: string;
  /** Where the figures of the image "packages" go. */
  readonly save: string | undefined;
}

interface Place {
  readonly registry: Registry;
  readonly proxy: WireProxy;
  readonly work: string;
  readonly runs: number;
}

async function main(): Promise<void> {
  const options = readOptions();
  mkdirSync(options.work, { recursive: true });
  const images: BenchImage[] = [];
  for (const name of options.images) images.push(await makeImage(name, options.work));
  const registry = await startRegistry();
  const proxy = await startWireProxy(registry.port, { bytesPerSecond: throttledBytesPerSecond });
  const work = mkdtempSync(join(options.work, "run-"));
  const place = { registry, proxy, work, runs: options.runs };
  try {
    say(`Machine: ${processors()} processors, mksquashfs at ${mksquashfs()}`);
    for (const image of images) {
      registry.addLayout(image.layout, image.name);
      if (image.flat === undefined) await benchMemory(image, place, options);
      else await benchTimes(image, place, options);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
    await proxy.stop();
    await registry.stop();
  }
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      image: { type: "string", multiple: true },
      only: { type: "string", default: "" },
      runs: { type: "string", default: "3" },
      save: { type: "string" },
      memory: { type: "boolean", default: false },
      work: { type: "string", default: join(process.env.TMPDIR ?? tmpdir(), "denroot-bench") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const defaults: ImageName[] = values.memory
    ? ["packages", "ten-times", "million"]
    : ["packages", "small-files"];
  const chosen = values.image as ImageName[] | undefined;
  return {
    images: chosen ?? (values.memory ? defaults.slice(1) : defaults),
    only: values.only.toLowerCase(),
    runs: Math.max(1, Number(values.runs)),
    work: values.work,
    save: values.save,
  };
}

async function benchTimes(image: BenchImage, place: Place, options: Options): Promise<void> {
  const flatMiB = statSync(image.flat!).size / 1048576;
  say(
    `\n${image.name}: ${image.tars.length} layers, ${mib(image.storedBytes)} MiB stored, ` +
      `${flatMiB.toFixed(0)} MiB merged`,
  );
  const fast = await measureLimit(image, fastOptions, place.work, place.runs);
  sayLimit("default options", fast);
  const own = await measureLimit(image, enrootOptions, place.work, place.runs);
  sayLimit(`enroot's options (${enrootOptions})`, own);
  header();
  const transferS = image.storedBytes / throttledBytesPerSecond;
  const cases: readonly BenchCase[] = [
    { title: "empty cache", limitS: fast.seconds, target: 1.3 },
    {
      title: "empty cache, enroot's squash options",
      limitS: own.seconds,
      target: 1.1,
      squash: enrootOptions,
    },
    {
      title: "empty cache, registry at 100 MB/s",
      limitS: Math.max(fast.seconds, transferS),
      target: 1.2,
      throttled: true,
    },
    { title: "layers in the cache", limitS: fast.seconds, warm: true },
  ];
  const results: BenchResult[] = [];
  for (const one of cases) {
    for (const [name, command] of chosenPrograms(options)) {
      // Deno and the source are compared once; the rest is the executable's.
      if (one.title !== "empty cache" && name !== firstProgram(options)) continue;
      const result = await importRuns(image, command, place, one).catch(told);
      if (result === undefined) continue;
      const squash = one.squash === undefined ? "denroot" : "enroot";
      results.push({
        ...result,
        case: one.title,
        program: name,
        options: squash,
        limitS: one.limitS!,
      });
      row(one.title, name, result, one);
    }
  }
  const limits = { denroot: fast.seconds, enroot: own.seconds };
  results.push(...await benchEnroot(image, place, options, results, limits));
  if (options.save !== undefined && image.name === "packages") {
    saveFigures(options.save, { image, mergedBytes: statSync(image.flat!).size, limits, results });
  }
}

interface BenchCase {
  readonly title: string;
  readonly limitS?: number;
  /** The ratio to the limit that is to be reached. */
  readonly target?: number;
  readonly squash?: string;
  readonly throttled?: boolean;
  readonly warm?: boolean;
}

async function importRuns(
  image: BenchImage,
  command: readonly string[],
  place: Place,
  options: BenchCase,
): Promise<Measurement> {
  const results: Measurement[] = [];
  const cache = join(place.work, "cache");
  const server = options.throttled === true ? place.proxy : place.registry;
  for (let run = options.warm === true ? -1 : 0; run < place.runs; run++) {
    if (options.warm !== true) rmSync(cache, { recursive: true, force: true });
    const output = join(place.work, "out.sqsh");
    rmSync(output, { force: true });
    mkdirSync(cache, { recursive: true });
    const uri = `docker://${server.host}#${image.name}:latest`;
    const one = await measure([...command, "import", "--output", output, uri], {
      env: environment(place.work, cache, options.squash),
    });
    if (run >= 0) results.push(one);
  }
  rmSync(join(place.work, "out.sqsh"), { force: true });
  rmSync(cache, { recursive: true, force: true });
  return median(results);
}

/** What enroot takes, where it is installed; `ours` are denroot's results. */
async function benchEnroot(
  image: BenchImage,
  place: Place,
  options: Options,
  ours: readonly BenchResult[],
  limits: Limits,
): Promise<BenchResult[]> {
  const enroot = findProgram("enroot");
  if (enroot === undefined || !"enroot".includes(options.only)) {
    if (enroot === undefined) say("enroot is not installed: not compared");
    return [];
  }
  const program = (await runProgram(enroot, ["version"])).stdout.trim();
  const results: BenchResult[] = [];
  // Slow, and only compared with a factor: one run each.
  const once = { ...place, runs: 1 };
  const cases = [
    { title: "empty cache", options: "enroot" },
    { title: "empty cache, denroot's squash options", options: "denroot", squash: fastOptions },
  ] as const;
  for (const one of cases) {
    const result = await importRuns(image, [enroot], once, one).catch(told);
    if (result === undefined) continue;
    results.push({
      ...result,
      case: one.title,
      program: `enroot ${program}`,
      options: one.options,
      limitS: limits[one.options],
    });
    row(one.title, "enroot", result, {});
    if (ours[0] !== undefined) {
      say(`${"".padEnd(42)}${(result.wallS / ours[0].wallS).toFixed(1)} x denroot's`);
    }
  }
  return results;
}

async function benchMemory(image: BenchImage, place: Place, options: Options): Promise<void> {
  say(`\n${image.name}: ${image.tars.length} layers, ${mib(image.storedBytes)} MiB stored`);
  header();
  for (const [name, command] of chosenPrograms(options)) {
    const once = { ...place, runs: 1 };
    const result = await importRuns(image, command, once, { title: "" }).catch(told);
    if (result !== undefined) row("empty cache", name, result, {});
  }
}

function chosenPrograms(options: Options): (readonly [string, readonly string[]])[] {
  return Object.entries(programs).filter(([name]) => name.toLowerCase().includes(options.only));
}

function firstProgram(options: Options): string | undefined {
  return chosenPrograms(options)[0]?.[0];
}

function environment(
  work: string,
  cache: string,
  squash?: string,
): Record<string, string | undefined> {
  return {
    HOME: work,
    TMPDIR: work,
    ENROOT_CACHE_PATH: cache,
    ENROOT_TEMP_PATH: work,
    ENROOT_CONFIG_PATH: join(work, "config"),
    ENROOT_RUNTIME_PATH: join(work, "runtime"),
    ENROOT_DATA_PATH: join(work, "data"),
    ENROOT_ALLOW_HTTP: "y",
    ENROOT_SQUASH_OPTIONS: squash,
  };
}

/** A program that fails does not end the comparison of the others. */
function told(error: Error): undefined {
  say(error.message.trimEnd());
  process.exitCode = 1;
}

await main();

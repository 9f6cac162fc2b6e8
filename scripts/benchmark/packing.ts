/**
 * What mksquashfs's options cost and give: the size of an image, the processor time of `import` and
 * `create`, and how long a container that is started from the file takes to begin and to be read.
 * The options take turns, so that a busy moment of the machine hits each of them.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findProgram, waitUntil } from "../../test/helpers/run_program.ts";
import { makeImage } from "./images.ts";
import { measure } from "./measure.ts";

const COMPRESSORS = [
  "-comp lzo -Xalgorithm lzo1x_1",
  "-comp zstd -Xcompression-level 1",
  "-comp zstd -Xcompression-level 3",
  "-comp lz4",
];
const BLOCK_SIZES = ["128K", "256K"];
/** By the kernel's clock. */
const TICKS_PER_SECOND = 100;

const executable = fileURLToPath(new URL("../../dist/denroot", import.meta.url));

/** Seconds, but for the bytes. */
interface Figures {
  readonly bytes: number;
  readonly importCpu: number;
  readonly createCpu: number;
  readonly firstStart: number;
  readonly findWall: number;
  readonly findCpu: number;
  readonly tarWall: number;
  readonly tarCpu: number;
}

const COLUMNS: readonly (readonly [keyof Figures, string, (value: number) => string])[] = [
  ["bytes", "MB", (value) => (value / 1e6).toFixed(0)],
  ["importCpu", "import cpu s", (value) => value.toFixed(1)],
  ["createCpu", "create cpu s", (value) => value.toFixed(1)],
  ["firstStart", "first start ms", (value) => (value * 1000).toFixed(0)],
  ["findWall", "find s", (value) => value.toFixed(2)],
  ["findCpu", "find cpu s", (value) => value.toFixed(2)],
  ["tarWall", "tar s", (value) => value.toFixed(2)],
  ["tarCpu", "tar cpu s", (value) => value.toFixed(2)],
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [""] },
      runs: { type: "string", default: "2" },
      work: { type: "string", default: join(process.env.TMPDIR ?? tmpdir(), "denroot-bench") },
      packing: { type: "boolean", default: false },
    },
  });
  const { layout } = await makeImage("packages", values.work);
  const work = mkdtempSync(join(values.work, "packing-"));
  const options = COMPRESSORS.flatMap((one) => BLOCK_SIZES.map((size) => `${one} -b ${size}`))
    .filter((one) => values.only.some((part) => one.includes(part)));
  const results = new Map(options.map((one) => [one, [] as Figures[]]));
  try {
    for (let run = 0; run < Number(values.runs); run++) {
      for (const one of options) results.get(one)!.push(await measureOptions(one, layout, work));
    }
  } finally {
    rmSync(work, { recursive: true, force: true, maxRetries: 3 });
  }
  console.log("options".padEnd(42) + COLUMNS.map(([, title]) => title.padStart(15)).join(""));
  for (const [one, figures] of results) {
    const cells = COLUMNS.map(([name, , show]) =>
      show(Math.min(...figures.map((figure) => figure[name])))
    );
    console.log(one.padEnd(42) + cells.map((cell) => cell.padStart(15)).join(""));
  }
}

async function measureOptions(options: string, layout: string, work: string): Promise<Figures> {
  const image = join(work, "image.sqsh");
  mkdirSync(join(work, "runtime"), { recursive: true });
  const env = {
    HOME: work,
    ENROOT_CACHE_PATH: join(work, "cache"),
    ENROOT_DATA_PATH: join(work, "data"),
    ENROOT_RUNTIME_PATH: join(work, "runtime"),
    ENROOT_SQUASH_OPTIONS: options,
  };
  const words = ["import", "--force", "--output", image, `oci:${layout}:latest`];
  const imported = await measure([executable, ...words], { env });
  const created = await measure([executable, "create", "-f", "-n", "box", image], { env });
  rmSync(join(work, "data"), { recursive: true, force: true });
  forget(image);
  const started = await measure([executable, "start", image, "/bin/true"], { env });
  const find = await readInside(image, ["find", "/", "-xdev", "-type", "f"], env);
  const tar = await readInside(image, ["tar", "-cf", "-", "-C", "/", "usr", "bin", "lib"], env);
  const figures = {
    bytes: statSync(image).size,
    importCpu: imported.cpuS,
    createCpu: created.cpuS,
    firstStart: started.wallS,
    findWall: find.wallS,
    findCpu: find.cpuS,
    tarWall: tar.wallS,
    tarCpu: tar.cpuS,
  };
  process.stderr.write(`[INFO] ${options}: ${JSON.stringify(figures)}\n`);
  return figures;
}

/** A command of busybox in a container that has read nothing yet, with what its server works. */
async function readInside(
  image: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly wallS: number; readonly cpuS: number }> {
  forget(image);
  const mount = `${findProgram("busybox")}:/busybox:none:x-create=file,bind,ro`;
  const words = ["start", "-m", mount, image, "/busybox", "sleep", "100000"];
  const container = spawn(executable, words, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    await waitUntil("the container runs", () => commandOf(container).startsWith("/busybox"));
    const server = serverOf(image);
    const before = cpuOf(server);
    const exec = [executable, "exec", String(container.pid), "/busybox", ...command];
    const { wallS, cpuS } = await measure(exec, { env });
    return { wallS, cpuS: cpuS + cpuOf(server) - before };
  } finally {
    container.kill("SIGKILL");
    await new Promise((resolve) => container.on("exit", resolve));
  }
}

function commandOf({ pid }: ChildProcess): string {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1");
}

/** The process that serves the image. */
function serverOf(image: string): string {
  const pid = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words[0] === "denroot-squashfs" && words.includes(image);
    } catch {
      return false;
    }
  });
  if (pid === undefined) throw new Error(`No process serves ${image}`);
  return pid;
}

function cpuOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Asks the kernel to drop a file from memory. */
function forget(path: string): void {
  spawnSync("sync", [path]);
  spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

await main();

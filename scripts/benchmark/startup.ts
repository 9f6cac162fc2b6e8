/**
 * How large the executables are, how long they take to start, with and without their file in
 * memory, and what an import holds while it waits for its registry.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Answer, startFakeRegistry } from "../../test/helpers/fake_registry.ts";
import { type Blob, type Image, writeImage } from "../../test/helpers/image_fixture.ts";
import {
  findProgram,
  startProgram,
  stopProgram,
  waitUntil,
} from "../../test/helpers/run_program.ts";
import { file } from "../../test/helpers/tar_fixture.ts";

const RUNS = 15;
const SETTLE_MS = 3000;
const IDLE_MS = 5000;
/** The registry sends this much of a layer before it falls silent. */
const SENT_BYTES = 1 << 20;

const project = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(project, "dist");
const executable = join(dist, "denroot");

async function main(): Promise<void> {
  for (const name of readdirSync(dist).filter((name) => name.startsWith("denroot-linux-"))) {
    say(`${name}: ${mib(statSync(join(dist, name)).size)} MiB`);
  }
  say(
    "\n" + "command".padEnd(34) + "warm ms".padStart(9) + "cold ms".padStart(9) +
      "read MiB".padStart(10),
  );
  for (const args of [["--version"], ["--help"], ["import", "--help"], ["info"]]) {
    row(`denroot ${args.join(" ")}`, executable, args);
  }
  const yardsticks: [program: string, args: string[]][] = [
    ["true", []],
    ["bash", ["--version"]],
    ["python3", ["-c", ""]],
    ["node", ["--version"]],
    [join(project, "node_modules/.bin/bun"), ["--version"]],
    [join(project, "node_modules/.bin/deno"), ["--version"]],
  ];
  for (const [program, args] of yardsticks) {
    const path = program.includes("/") ? program : findProgram(program);
    if (path !== undefined) row(`${program.replace(/^.*\//, "")} ${args.join(" ")}`, path, args);
  }
  await measureWaiting();
}

/**
 * Times until the program has ended, and how much of its file a cold start reads: more than it
 * needs, by as much as the device reads ahead.
 */
function row(title: string, path: string, args: readonly string[]): void {
  const program = realpathSync(path);
  const warm = median(() => time(program, args));
  const cold = median(() => {
    forget(program);
    return time(program, args);
  });
  const read = spawnSync("fincore", ["--bytes", "--noheadings", "--output", "RES", program]);
  const readMiB = read.status === 0 ? mib(Number(read.stdout)) : "-";
  say(
    title.padEnd(34) + warm.toFixed(1).padStart(9) + cold.toFixed(1).padStart(9) +
      readMiB.padStart(10),
  );
}

function time(program: string, args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${status}\n${stderr}`);
  return performance.now() - started;
}

/** Asks the kernel to drop a file from memory. */
function forget(path: string): void {
  spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

function median(run: () => number): number {
  run();
  const times = Array.from({ length: RUNS }, run).sort((a, b) => a - b);
  return times[RUNS >> 1]!;
}

/** An import whose registry sends the beginning of a layer, and nothing more. */
async function measureWaiting(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "denroot-startup-"));
  const bytes = crypto.getRandomValues(Buffer.alloc(1 << 16));
  const content = Buffer.concat(Array.from({ length: 128 }, () => bytes));
  const image = writeImage(join(work, "layout"), { layers: [[file("big", content)]] });
  await using registry = await startFakeRegistry((request) => answer(image, request.line));
  const program = startProgram(executable, [
    "import",
    "--output",
    join(work, "out.sqsh"),
    `docker://${registry.host}#waiting/app:latest`,
  ], { env: { HOME: work, PATH: process.env.PATH, ENROOT_ALLOW_HTTP: "y" } });
  try {
    await waitUntil("the layer is asked for", () => registry.bytesWritten >= SENT_BYTES);
    await sleep(SETTLE_MS);
    const before = processorMs(program.pid);
    await sleep(IDLE_MS);
    const used = processorMs(program.pid) - before;
    say("\nAn import that waits for its registry:");
    sayMemory("denroot", program.pid);
    for (const pid of childrenOf(program.pid)) sayMemory("mksquashfs", pid);
    say(`Processor time while idle: ${used} ms in ${IDLE_MS / 1000} s`);
  } finally {
    await stopProgram(program);
    rmSync(work, { recursive: true, force: true });
  }
}

function answer(image: Image, request: string): Answer {
  const blob = [image.manifest, image.config, ...image.layers].find((one) =>
    request.includes(one.digest) ||
    (request.includes("/manifests/latest") && one === image.manifest)
  );
  if (blob === undefined) return { status: 404 };
  return {
    headers: headersOf(blob),
    body: blob.bytes,
    ...image.layers.includes(blob) ? { stallAfter: SENT_BYTES } : {},
  };
}

function headersOf(blob: Blob): Record<string, string> {
  return { "Content-Type": blob.mediaType, "Docker-Content-Digest": blob.digest };
}

function sayMemory(name: string, pid: number): void {
  const sums = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const size = (field: string) =>
    mib(Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(sums)?.[1]) * 1024);
  say(`${name}: ${size("Rss")} MiB resident, ${size("Pss")} MiB its own share`);
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean)
      .map(Number)
  );
}

/** User and system time of all its threads, by the kernel's clock of 100 ticks a second. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function mib(bytes: number): string {
  return (bytes / 1048576).toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();

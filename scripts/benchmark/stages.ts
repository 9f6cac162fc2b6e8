/**
 * How fast one thread does each stage of an import, what that becomes on machines with more
 * processors, and a whole import beside it. The figures are by processor time, the least of some
 * runs, so that other work on the machine changes little.
 */

import { createHash } from "node:crypto";
import fs from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { decompress } from "../../lib/compress/decompress.ts";
import { Emission } from "../../lib/pack/emission.ts";
import { packStreamed } from "../../lib/pack/pack_streamed.ts";
import type { PackInput, ReadLayer } from "../../lib/pack/pack_messages.ts";
import { tarSink } from "../../lib/pack/tar_sink.ts";
import { mksquashfsArguments } from "../../lib/squashfs/mksquashfs_call.ts";
import { nativeCalls } from "../../lib/system/native_calls.ts";
import { spawnChild } from "../../lib/system/process/spawn_child.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import { releaseFile } from "../../test/helpers/release.ts";
import { mksquashfs } from "./limit.ts";
import { measure } from "./measure.ts";
import { type Costs, printModel } from "./stage_model.ts";
import { type Form, makeStageImage, type StageImage } from "./stage_image.ts";

const runs = 5;
const pieceBytes = 512 * 1024;
/** No compression: only then the pipeline can be what holds an import up. */
const squashOptions = "-noI -noD -noF -noX";
const smallMegabytes = 400;
const largeMegabytes = 10_000;

async function main(): Promise<void> {
  const megabytes = process.argv.includes("--large") ? largeMegabytes : smallMegabytes;
  const work = fs.mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "denroot-stages-"));
  try {
    const image = await makeStageImage(work, megabytes);
    const whole = await measureMksquashfs(image, work);
    printModel(await measureStages(image, whole));
    console.log(`\nHere, on ${availableParallelism()} processors, MB/s by wall time:`);
    say("mksquashfs alone", image.bytes / whole.wallS, whole.cpuS / image.bytes);
    for (const form of ["plain", "gzip", "zstd"] as const) {
      const one = await measureImport(image.layouts[form], work);
      say(`import, ${form} layers`, image.bytes / one.wallS, one.cpuS / image.bytes);
    }
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function say(title: string, bytesPerS: number, cpuPerByte: number): void {
  const cpu = `${(cpuPerByte * 1e9).toFixed(2)} s of processor time a GB`;
  console.log(`${title.padEnd(28)}${(bytesPerS / 1e6).toFixed(0).padStart(6)}   ${cpu}`);
}

/** Seconds of processor time for each byte of the tar stream. */
async function measureStages(
  image: StageImage,
  { wallS, cpuS }: Least,
): Promise<Costs> {
  const [tar] = image.tars;
  const { size } = fs.statSync(tar!);
  const decode = async (form: Form) => {
    const bytes = await leastCpu(async () => {
      for await (const _ of decompress(pieces(image.layer[form]), { here: true })) { /* */ }
    });
    return bytes / size;
  };
  const read = await decode("plain");
  const [gunzip, unzstd] = [await decode("gzip"), await decode("zstd")];
  const buffer = new Uint8Array(pieceBytes).fill(1);
  const rounds = Math.ceil(size / pieceBytes);
  const digest = await leastCpu(() => {
    const hash = createHash("sha256");
    for (let round = 0; round < rounds; round++) hash.update(buffer);
  });
  const emit = await leastCpu(() => merge(tar!));
  const socket = await leastCpu(() => send(buffer, rounds));
  return {
    read,
    gunzip,
    unzstd,
    digest: digest / (rounds * pieceBytes),
    // The pieces have to be read for this one, which is not the pack worker's work.
    emit: emit / size - read,
    socket: socket / (rounds * pieceBytes),
    mksquashfs: cpuS / image.bytes,
    mksquashfsAlone: wallS / image.bytes,
  };
}

/** Parses, merges and writes a layer into nothing. */
async function merge(tar: string): Promise<void> {
  const write = (_: number, bytes: Uint8Array) => bytes.length;
  const sink = tarSink({ ...await nativeCalls(), write }, -1, 0o755);
  const emission = new Emission(sink, {
    allTime: undefined,
    defaultTime: 0,
    onBytes: () => {},
    maxBytes: Infinity,
  });
  const readLayer: ReadLayer = async (_, visitor) => {
    const parser = new TarParser(visitor);
    for await (const piece of pieces(tar)) parser.push(piece);
    parser.finish();
  };
  const input = { layerNames: ["0"], ownFiles: [], workingDir: "" };
  await packStreamed(input as unknown as PackInput, readLayer, emission);
  emission.end();
}

/** Sends `buffer` so many times to a program that takes all. */
async function send(buffer: Uint8Array, rounds: number): Promise<void> {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const script = ["-c", "exec cat > /dev/null"];
  const reader = spawnChild("/bin/sh", script, { stdin: theirs, name: "cat" });
  native.close(theirs);
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < buffer.length;) {
      const count = native.write(ours, buffer.subarray(at));
      if (count < 0) throw new Error("cat stopped reading");
      at += count;
    }
  }
  native.close(ours);
  await reader.exited;
}

async function* pieces(path: string): AsyncGenerator<Uint8Array> {
  const file = fs.openSync(path, "r");
  const buffer = new Uint8Array(pieceBytes);
  try {
    for (let count = -1; count !== 0;) {
      count = fs.readSync(file, buffer);
      if (count > 0) yield buffer.subarray(0, count);
    }
  } finally {
    fs.closeSync(file);
  }
}

async function leastCpu(work: () => Promise<void> | void): Promise<number> {
  let least = Infinity;
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

async function measureMksquashfs({ tars }: StageImage, work: string) {
  const output = join(work, "alone.sqsh");
  const flags = mksquashfsArguments(output, {
    mksquashfs: { setsRootTime: true },
    squashOptions,
    processors: availableParallelism(),
    rootMode: 0o755,
    time: 0,
  });
  // Each archive but the last without its end mark, as one stream.
  const script = `out=$1; shift; rm -f "$out"; { for tar in ${tars.join(" ")}; do
    head -c -1024 "$tar"; done; head -c 1024 /dev/zero; } > "$out.tar"`;
  await measure(["bash", "-c", script, "flat", output]);
  return await least(() => {
    fs.rmSync(output, { force: true });
    // An import ends when its image is on the disk, too.
    const durably = ["bash", "-c", '"$@" && sync "$0"', output, mksquashfs(), ...flags];
    return measure(durably, { input: `${output}.tar` });
  }, [output, `${output}.tar`]);
}

async function measureImport(layout: string, work: string) {
  const output = join(work, "import.sqsh");
  const paths = ["CACHE", "TEMP", "CONFIG", "RUNTIME", "DATA"];
  const env = {
    HOME: work,
    ...Object.fromEntries(paths.map((name) => [`ENROOT_${name}_PATH`, work])),
    ENROOT_SQUASH_OPTIONS: squashOptions,
  };
  const command = [releaseFile("denroot"), "import", "--force", "--output", output];
  return await least(() => measure([...command, `oci:${layout}:latest`], { env }), [output]);
}

interface Least {
  readonly wallS: number;
  readonly cpuS: number;
}

/** The least of each figure; `garbage` is removed at the end. */
async function least(
  run: () => ReturnType<typeof measure>,
  garbage: readonly string[],
): Promise<Least> {
  const all = [];
  for (let count = 0; count < runs; count++) all.push(await run());
  for (const path of garbage) fs.rmSync(path, { force: true });
  return {
    wallS: Math.min(...all.map(({ wallS }) => wallS)),
    cpuS: Math.min(...all.map(({ cpuS }) => cpuS)),
  };
}

await main();

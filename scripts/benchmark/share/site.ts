/** A site for the benchmark: a registry on loopback, a shared directory, and rounds of nodes. */

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wholeSize } from "../../../lib/share/finished_images.ts";
import { writeImage } from "../../../test/helpers/image_fixture.ts";
import { findProgram, type RunningProgram } from "../../../test/helpers/run_program.ts";
import { type Registry, startRegistry } from "../../../test/helpers/registry_server.ts";
import { startOnNode } from "../../../test/helpers/simulated_nodes.ts";
import { file } from "../../../test/helpers/tar_fixture.ts";

const denroot = fileURLToPath(new URL("../../../dist/denroot", import.meta.url));

export interface Order {
  readonly nodes: number;
  /** Every other node's clock is an hour ahead. */
  readonly skewedClocks?: boolean;
  /** How many waiting nodes are traced, to count their calls on the share. */
  readonly traced?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly readOnly?: boolean;
  /** The share as it is, with its images. */
  readonly keepShare?: boolean;
  /** Told when all nodes are started. */
  readonly onStarted?: (nodes: readonly RunningProgram[], site: Site) => Promise<void>;
  /** The share, when it is not the usual one. */
  readonly share?: string;
  readonly registry?: Registry;
}

export interface Round {
  readonly nodes: number;
  readonly pulls: number;
  readonly manifests: number;
  readonly bytes: number;
  readonly packings: number;
  readonly firstS: number;
  readonly lastS: number;
  /** Of all waiting nodes together, on the share. */
  readonly callsPerSecond: number;
  readonly failures: readonly string[];
  /** Paths that nodes were given, without a whole image behind. */
  readonly partial: number;
}

export interface Site {
  readonly registry: Registry;
  /** It takes the user `someone` with the password `secret`. */
  readonly guarded: Registry;
  readonly share: string;
  readonly work: string;
  round(order: Order): Promise<Round>;
  stop(): Promise<void>;
}

export async function startSite(work: string, imageMb: number): Promise<Site> {
  const registry = await startRegistry();
  // Each token is good for a second: some expire before the image is there.
  const guarded = await startRegistry({
    auth: "token",
    user: "someone",
    password: "secret",
    tokenLifetimeSeconds: 1,
  });
  const layers = [0.5, 0.3, 0.2].map((part, index) => ({
    compression: "none" as const,
    tar: [file(`layer${index}`, randomBytes(imageMb * 1e6 * part))],
  }));
  const image = writeImage(join(work, "layout"), { layers, tag: "latest" });
  for (const each of [registry, guarded]) each.add(image, "app");
  const packings = countingMksquashfs(work);
  let rounds = 0;
  const site: Site = {
    registry,
    guarded,
    work,
    share: join(work, "share"),
    round: (order) => playRound(site, packings, ++rounds, order),
    async stop() {
      await registry.stop();
      await guarded.stop();
    },
  };
  return site;
}

/** A mksquashfs that notes each packing. */
function countingMksquashfs(work: string): { readonly program: string; readonly notes: string } {
  const program = join(work, "mksquashfs");
  const notes = join(work, "packings");
  const carried = fileURLToPath(new URL("../../../build/squashfs/x64/mksquashfs", import.meta.url));
  const real = existsSync(carried) ? carried : findProgram("mksquashfs")!;
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$1" = -version ] || echo >> '${notes}'\nexec '${real}' "$@"\n`,
  );
  chmodSync(program, 0o755);
  return { program, notes };
}

async function playRound(
  site: Site,
  packing: { readonly program: string; readonly notes: string },
  number: number,
  order: Order,
): Promise<Round> {
  const share = order.share ?? site.share;
  if (!order.keepShare) rmSync(site.share, { recursive: true, force: true });
  rmSync(packing.notes, { force: true });
  const home = join(site.work, "home");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const registry = order.registry ?? site.registry;
  const before = registry.log().length;
  const started = performance.now();
  const ends: number[] = [];
  const nodes = Array.from({ length: order.nodes }, (_, index) => {
    const isTraced = index > 0 && index <= (order.traced ?? 0);
    const trace = join(site.work, `trace${index}`);
    const strace = [
      "strace",
      "-f",
      "-qq",
      "-y",
      "-o",
      trace,
      "-e",
      "trace=%file,getdents64,fstat,read,write",
    ];
    const node = startOnNode(
      [...(isTraced ? strace : []), denroot, "share", "get", registry.uri("app")],
      {
        index,
        step: `${number}.0`,
        ...(order.skewedClocks && index % 2 === 1 && !isTraced && { clockAheadS: 3600 }),
        ...(order.readOnly && { readOnly: [share] }),
        env: environment(join(home, String(index)), share, packing.program, order.env),
      },
    );
    node.done.then(({ exitCode }) => {
      if (exitCode === 0) ends.push((performance.now() - started) / 1000);
    });
    return node;
  });
  await order.onStarted?.(nodes, site);
  const results = await Promise.all(nodes.map((node) => node.done));
  const good = results.filter(({ exitCode }) => exitCode === 0).map(({ stdout }) => stdout.trim());
  // A node that the benchmark killed has not failed.
  const failures = results.filter(({ exitCode }) => exitCode !== 0 && exitCode !== null)
    .map(({ exitCode, stderr }) =>
      `exit ${exitCode}: ${stderr.trim().split("\n").slice(-2).join(" ")}`
    );
  const calls = sum(
    Array.from(
      { length: Math.min(order.traced ?? 0, order.nodes - 1) },
      (_, index) =>
        readFileSync(join(site.work, `trace${index + 1}`), "utf8").split("\n")
          .filter((line) => line.includes(share)).length,
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const [firstS = 0, lastS = 0] = [ends[0], ends.at(-1)];
  return {
    ...traffic(registry.log().slice(before)),
    nodes: order.nodes,
    packings: existsSync(packing.notes) ? readFileSync(packing.notes, "utf8").length : 0,
    firstS,
    lastS,
    callsPerSecond: order.traced && order.nodes > 1
      ? calls / Math.min(order.traced, order.nodes - 1) / lastS * order.nodes
      : 0,
    failures,
    partial: good.filter((path) => wholeSize(path, 0) === undefined).length + partialImages(share),
  };
}

function environment(
  home: string,
  share: string,
  mksquashfs: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  mkdirSync(join(home, "tmp"), { recursive: true });
  return {
    PATH: process.env.PATH!,
    HOME: home,
    TMPDIR: join(home, "tmp"),
    ENROOT_TEMP_PATH: join(home, "tmp"),
    ENROOT_ALLOW_HTTP: "y",
    ENROOT_SYSCONF_PATH: join(home, "sysconf"),
    // All of mksquashfs's processors on every node would make the figures those of another machine.
    ENROOT_MAX_PROCESSORS: "2",
    DENROOT_MKSQUASHFS: mksquashfs,
    DENROOT_SHARE_PATH: share,
    ...more,
  };
}

/** Pulls are counted by the first layer's blob, which a download over several connections asks often. */
function traffic(log: string): Pick<Round, "pulls" | "manifests" | "bytes"> {
  const lines = [
    ...log.matchAll(/"GET \/v2\/app\/(manifests|blobs)\/(\S+) HTTP[^"]*" (\d+) (\d+)/g),
  ];
  const blobs = lines.filter(([, kind]) => kind === "blobs");
  const perBlob = Map.groupBy(blobs, ([, , digest]) => digest!);
  const sizes = [...perBlob.values()].map((gets) => sum(gets.map((get) => Number(get[4]))));
  return {
    // The configuration comes in one piece.
    pulls: Math.min(Infinity, ...[...perBlob.values()].map((gets) => gets.length)) % Infinity || 0,
    manifests: lines.length - blobs.length,
    bytes: sum(sizes),
  };
}

function partialImages(share: string): number {
  const images = join(share, "images");
  if (!existsSync(images)) return 0;
  return readdirSync(images).filter((name) => wholeSize(join(images, name), 0) === undefined)
    .length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

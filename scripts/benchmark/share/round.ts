/** One round of the benchmark: nodes start at once and ask for an image, and all of it is counted. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { wholeSize } from "../../../lib/share/finished_images.ts";
import type { ProgramResult, RunningProgram } from "../../../test/helpers/run_program.ts";
import type { Registry } from "../../../test/helpers/registry_server.ts";
import { startOnNode } from "../../../test/helpers/simulated_nodes.ts";
import { clear, type Site } from "./site.ts";

/** Users of these ids need no account. */
const FIRST_USER = 60_000;

export interface Order {
  readonly nodes: number;
  /** Every other node's clock is an hour ahead. */
  readonly skewedClocks?: boolean;
  /** Each node is a job of its own, instead of one step of all. */
  readonly asJobs?: boolean;
  /** The nodes belong to so many users, who have a part of the share each. */
  readonly users?: number;
  /** How many waiting nodes are traced, to count their calls on the share. */
  readonly traced?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly readOnly?: boolean;
  /** The share as it is, with its images. */
  readonly keepShare?: boolean;
  /** The share and the registry, when they are not the usual ones. */
  readonly share?: string;
  readonly registry?: Registry;
  /** Told when all nodes are started; the function says how long the round takes by now. */
  readonly onStarted?: (nodes: readonly RunningProgram[], elapsedS: () => number) => Promise<void>;
}

export interface Round {
  readonly nodes: number;
  /** How often the configuration was asked for, which comes in one piece. */
  readonly pulls: number;
  readonly manifests: number;
  readonly bytes: number;
  readonly packings: number;
  /** When the first and the last node were done; those that failed count where all failed. */
  readonly firstS: number;
  readonly lastS: number;
  /** What all waiting nodes together ask of the share. */
  readonly callsPerSecond: number;
  /** What the nodes said that failed. One that the benchmark killed has not failed. */
  readonly failures: readonly string[];
  /** Images without their end, and paths that nodes were given without a whole image. */
  readonly partial: number;
}

let rounds = 0;

export async function playRound(site: Site, order: Order): Promise<Round> {
  const share = order.share ?? site.share;
  const registry = order.registry ?? site.registry;
  clear(site, order.keepShare === true);
  rmSync(join(site.work, "home"), { recursive: true, force: true });
  if (order.users !== undefined) makeUsersParts(share);
  rounds++;
  const before = registry.log().length;
  const started = performance.now();
  const elapsedS = () => (performance.now() - started) / 1000;
  const nodes = Array.from(
    { length: order.nodes },
    (_, index) => startNode(site, order, index, share, registry),
  );
  const ended = nodes.map(async (node) => {
    const result = await node.done;
    return { result, seconds: elapsedS() };
  });
  await order.onStarted?.(nodes, elapsedS);
  const ends = await Promise.all(ended);
  // The registry's last lines come a little later.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const good = ends.filter(({ result }) => result.exitCode === 0);
  const times = (good.length > 0 ? good : ends).map(({ seconds }) => seconds);
  const lastS = Math.max(...times);
  return {
    ...traffic(registry.log().slice(before)),
    nodes: order.nodes,
    packings: readFileSync(site.packings, "utf8").length,
    firstS: Math.min(...times),
    lastS,
    callsPerSecond: callsOf(site, order, share) / lastS,
    failures: failuresOf(ends.map(({ result }) => result)),
    partial: partialImages(good.map(({ result }) => result.stdout.trim()), share),
  };
}

function startNode(
  site: Site,
  order: Order,
  index: number,
  share: string,
  registry: Registry,
): RunningProgram {
  const { asJobs, users = 1, skewedClocks, readOnly, env } = order;
  const strace = isTraced(order, index)
    ? ["strace", "-f", "-qq", "-y", "-o", traceFile(site, index), "-e", `trace=${TRACED_CALLS}`]
    : [];
  const hasOtherClock = skewedClocks && index % 2 === 1 && strace.length === 0;
  return startOnNode([...strace, site.denroot, "share", "get", registry.uri("app")], {
    index,
    indexInStep: asJobs ? 0 : Math.floor(index / users),
    step: asJobs ? `${rounds}${index}.0` : `${rounds}.${index % users}`,
    ...(order.users && { uid: FIRST_USER + index % users }),
    ...(hasOtherClock && { clockAheadS: 3600 }),
    ...(readOnly && { readOnly: [share] }),
    env: { ...environment(site, index, share), ...env },
    timeoutMs: 600_000,
  });
}

const TRACED_CALLS = "%file,getdents64,fstat,read,write";

function isTraced({ traced = 0 }: Order, index: number): boolean {
  return index > 0 && index <= traced;
}

function traceFile({ work }: Site, index: number): string {
  return join(work, `trace${index}`);
}

/** What the traced nodes did, for all nodes but the first. */
function callsOf(site: Site, order: Order, share: string): number {
  const traced = Array.from({ length: order.nodes }, (_, index) => index)
    .filter((index) => isTraced(order, index));
  const calls = traced.map((index) =>
    readFileSync(traceFile(site, index), "utf8").split("\n")
      .filter((line) => line.includes(share)).length
  );
  return traced.length === 0 ? 0 : sum(calls) / traced.length * (order.nodes - 1);
}

function environment(site: Site, index: number, share: string): Record<string, string> {
  const home = join(site.work, "home", String(index));
  mkdirSync(home, { recursive: true });
  chmodSync(home, 0o1777);
  return {
    PATH: process.env.PATH!,
    HOME: home,
    TMPDIR: home,
    ENROOT_TEMP_PATH: home,
    ENROOT_ALLOW_HTTP: "y",
    ENROOT_SYSCONF_PATH: join(home, "sysconf"),
    DENROOT_MKSQUASHFS: site.mksquashfs,
    DENROOT_SHARE_PATH: share,
  };
}

function makeUsersParts(share: string): void {
  mkdirSync(join(share, "users"), { recursive: true });
  chmodSync(share, 0o755);
  chmodSync(join(share, "users"), 0o1777);
}

function failuresOf(results: readonly ProgramResult[]): string[] {
  return results.filter(({ exitCode }) => exitCode !== 0 && exitCode !== null)
    .map(({ exitCode, stderr }) =>
      `exit ${exitCode}: ${stderr.trim().split("\n").slice(-2).join(" ")}`
    );
}

function traffic(log: string): Pick<Round, "pulls" | "manifests" | "bytes"> {
  const pattern = /"GET \/v2\/app\/(manifests|blobs)\/(\S+) HTTP[^"]*" 20[06] (\d+)/g;
  const requests = [...log.matchAll(pattern)];
  const blobs = requests.filter(([, kind]) => kind === "blobs");
  const counts = [...Map.groupBy(blobs, ([, , digest]) => digest).values()]
    .map((gets) => gets.length);
  return {
    // The configuration is small, and comes in one piece: a big layer may come in several.
    pulls: counts.length === 0 ? 0 : Math.min(...counts),
    manifests: requests.length - blobs.length,
    bytes: sum(blobs.map(([, , , bytes]) => Number(bytes))),
  };
}

function partialImages(given: readonly string[], share: string): number {
  const images = join(share, "images");
  const listed = existsSync(images) ? readdirSync(images).map((name) => join(images, name)) : [];
  return [...listed, ...given]
    .filter((path) => wholeSize(path, statSync(path).uid) === undefined).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Kills the node that imports, at random moments of its import. */

import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type RunningProgram, waitUntil } from "../../../test/helpers/run_program.ts";
import { playRound, type Round } from "./round.ts";
import type { Site } from "./site.ts";

const LEASE_SECONDS = 3;
/** An import that ends before its moment comes is not counted, and played again so often. */
const MAX_TRIES = 5;

interface Kill {
  readonly killedS: number;
  /** How long the import had taken until then, and what there was of it; undefined when it was done. */
  readonly afterMs: number;
  readonly writtenBytes: number | undefined;
}

/** Each kill, with what came of it. */
export async function* kills(
  site: Site,
  nodes: number,
  count: number,
): AsyncGenerator<readonly [string, Round]> {
  const usualMs = count === 0 ? 0 : await usualImportMs(site, nodes);
  for (let kill = 0; kill < count; kill++) {
    yield await killOnce(site, nodes, usualMs);
  }
}

async function killOnce(
  site: Site,
  nodes: number,
  usualMs: number,
): Promise<readonly [string, Round]> {
  for (let tries = 1;; tries++) {
    let kill: Kill | undefined;
    const round = await playRound(site, {
      nodes,
      env: { DENROOT_SHARE_LEASE_SECONDS: String(LEASE_SECONDS) },
      onStarted: async (running, elapsedS) => {
        kill = await killImporter(site, running, Math.random() * usualMs, elapsedS);
      },
    });
    const { writtenBytes, afterMs, killedS } = kill!;
    if (writtenBytes === undefined && tries < MAX_TRIES) continue;
    const state = writtenBytes === undefined
      ? "when its import was done already"
      : `in mid-import, with ${(writtenBytes / 1e6).toFixed(1)} MB written`;
    return [
      `The importing node is killed after ${afterMs.toFixed(0)} of about ${
        usualMs.toFixed(0)
      } ms, ` +
      `${state}, lease ${LEASE_SECONDS} s; the image is there ` +
      `${(round.firstS - killedS).toFixed(1)} s later`,
      round,
    ];
  }
}

async function usualImportMs(site: Site, nodes: number): Promise<number> {
  let usualMs = 0;
  await playRound(site, {
    nodes,
    onStarted: async () => {
      await importer(site);
      const begunMs = performance.now();
      await waitUntil("the image is there", () => isFinished(site));
      usualMs = performance.now() - begunMs;
    },
  });
  return usualMs;
}

async function killImporter(
  site: Site,
  nodes: readonly RunningProgram[],
  delayMs: number,
  elapsedS: () => number,
): Promise<Kill> {
  const index = await importer(site);
  const begunMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  nodes[index]!.child.kill("SIGKILL");
  const [killedS, afterMs] = [elapsedS(), performance.now() - begunMs];
  // All processes of the node end with the first one, and nobody else imports before the lease ends.
  await nodes[index]!.done;
  const written = globSync(join(site.share, "work/*/{,.}*.sqsh"))
    .map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const writtenBytes = isFinished(site) ? undefined : Math.max(0, ...written);
  return { killedS, afterMs, writtenBytes };
}

/** The node that holds the lease of the import, when there is one. */
async function importer(site: Site): Promise<number> {
  let index: string | undefined;
  await waitUntil("a node imports", () => {
    const [lease] = globSync(join(site.share, "work/*/lease.1"));
    index = lease && /^n(\d+)\./.exec(readFileSync(lease, "utf8"))?.[1];
    return index !== undefined || isFinished(site);
  });
  return Number(index ?? 0);
}

function isFinished(site: Site): boolean {
  return globSync(join(site.share, "images/*.sqsh")).length > 0;
}

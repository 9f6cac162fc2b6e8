/** What is unusual or goes wrong on clusters, played on simulated nodes. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../../test/helpers/run_program.ts";
import { kills } from "./kills.ts";
import { playRound, type Round } from "./round.ts";
import type { Site } from "./site.ts";

/** Each one as it is played, with what came of it. */
export async function* misfortunes(
  site: Site,
  nodes: number,
  killCount: number,
): AsyncGenerator<readonly [string, Round]> {
  yield ["Without a share", await playRound(site, { nodes, env: { DENROOT_SHARE_PATH: "" } })];
  await playRound(site, { nodes: 1 });
  yield ["The image is there already", await playRound(site, { nodes, keepShare: true })];
  yield ["All nodes are jobs of their own", await playRound(site, { nodes, asJobs: true })];
  yield ["Two users", await playRound(site, { nodes, users: 2 })];
  yield* kills(site, nodes, killCount);
  yield ["The share is full", await onFullShare(site, nodes)];
  yield ["The share is read-only and has the image", await readOnly(site, nodes)];
  yield ["The share is read-only and empty", await readOnlyEmpty(site, nodes)];
  yield ["Tokens expire within a second", await behindTokens(site, nodes, "secret")];
  yield ["The password has expired", await behindTokens(site, nodes, "yesterday's")];
  await site.registry.kill();
  yield [
    "The registry is dead",
    await playRound(site, { nodes, env: { ENROOT_TRANSFER_RETRIES: "0" } }),
  ];
  await site.registry.restart();
}

async function onFullShare(site: Site, nodes: number): Promise<Round> {
  const share = join(site.work, "small");
  mkdirSync(share);
  await runProgram("mount", ["-t", "tmpfs", "-o", "size=4m,mode=755", "small", share]);
  try {
    return await playRound(site, { nodes, share });
  } finally {
    await runProgram("umount", [share]);
  }
}

async function readOnly(site: Site, nodes: number): Promise<Round> {
  await playRound(site, { nodes: 1 });
  return await playRound(site, { nodes, readOnly: true, keepShare: true });
}

async function readOnlyEmpty(site: Site, nodes: number): Promise<Round> {
  mkdirSync(join(site.work, "empty"), { recursive: true });
  return await playRound(site, { nodes, readOnly: true, share: join(site.work, "empty") });
}

async function behindTokens(site: Site, nodes: number, password: string): Promise<Round> {
  const registry = site.guarded;
  const auth = Buffer.from(`someone:${password}`).toString("base64");
  const file = join(site.work, "auth.json");
  writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  return await playRound(site, { nodes, registry, env: { REGISTRY_AUTH_FILE: file } });
}

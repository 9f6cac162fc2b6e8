/** Many simulated nodes ask for one image at once: how often it is fetched and packed, how long it takes. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { misfortunes } from "./misfortunes.ts";
import { playRound, type Round } from "./round.ts";
import { startSite } from "./site.ts";

const usage = `Usage: scripts/bench --share [options]

  --nodes LIST   numbers of nodes (default: 1,10,100)
  --kills N      how often the importing node is killed (default: 10)
  --image-mb N   size of the image's layers (default: 60)
`;

const columns = [
  "nodes",
  "pulls",
  "manifests",
  "MB fetched",
  "packings",
  "first s",
  "last s",
  "calls/s",
  "failed",
];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "1,10,100" },
      kills: { type: "string", default: "10" },
      "image-mb": { type: "string", default: "60" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const work = mkdtempSync(join(tmpdir(), "denroot-share-bench-"));
  chmodSync(work, 0o755);
  const site = await startSite(work, Number(values["image-mb"]));
  try {
    say(`| ${columns.join(" | ")} |\n|${columns.map(() => "--:").join("|")}|`);
    for (const nodes of values.nodes.split(",").map(Number)) {
      const round = await playRound(site, { nodes, skewedClocks: true, traced: 2 });
      say(row(round));
      for (const failure of new Set(round.failures)) say(failure);
    }
    const most = Math.min(8, Math.max(...values.nodes.split(",").map(Number)));
    for await (const [what, round] of misfortunes(site, most, Number(values.kills))) {
      say(`\n${what}: ${sentence(round)}`);
    }
  } finally {
    await site.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function row(round: Round): string {
  const { nodes, pulls, manifests, bytes, packings, firstS, lastS, callsPerSecond, failures } =
    round;
  const cells = [
    nodes,
    pulls,
    manifests,
    (bytes / 1e6).toFixed(1),
    packings,
    firstS.toFixed(1),
    lastS.toFixed(1),
    callsPerSecond.toFixed(0),
    failures.length,
  ];
  return `| ${cells.join(" | ")} |`;
}

function sentence({ nodes, pulls, packings, firstS, lastS, failures, partial }: Round): string {
  const failed = failures.length === 0 ? "no node failed" : `${failures.length} nodes failed`;
  const why = failures.length === 0 ? "" : `\n  ${[...new Set(failures)].join("\n  ")}`;
  return `${nodes} nodes, ${pulls} pulls, ${packings} packings, first after ${
    firstS.toFixed(1)
  } s, ` +
    `last after ${lastS.toFixed(1)} s, ${failed}, ${partial} partial images${why}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main();

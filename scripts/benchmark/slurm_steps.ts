/**
 * How long a step of a Slurm job takes in a container: with denroot, and with enroot where it is
 * installed, each on a node of its own. They take turns, so that a busy moment of the machine hits both.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { makeBusyboxRoot } from "../../test/helpers/container_home.ts";
import { findProgram, runProgram, waitUntil } from "../../test/helpers/run_program.ts";
import { plugin } from "../../test/helpers/slurm/slurm_site.ts";
import { type Slurm, startSlurm } from "../../test/helpers/slurm/start_slurm.ts";

const RUNS = 15;
const executable = fileURLToPath(new URL("../../dist/denroot", import.meta.url));

/** pyxis's options for each case. */
type Cases = readonly (readonly [title: string, container: readonly string[]])[];

async function main(image: string | undefined): Promise<void> {
  if (plugin === undefined) {
    console.error(
      "[ERROR] DENROOT_TEST_PYXIS is not set\n" +
        "        It is the path of a spank_pyxis.so that was built for this machine's Slurm",
    );
    process.exit(1);
  }
  const work = mkdtempSync(join(tmpdir(), "denroot-bench-"));
  const enroot = findProgram("enroot");
  const nodes = ["denroot", ...(enroot === undefined ? [] : ["enroot"])];
  const slurm = await startSlurm({
    nodes: Object.fromEntries(nodes.map((node) => [node, ""])),
    denroot: executable,
    scripts: enroot === undefined ? {} : { enroot: enrootScript(enroot) },
  });
  try {
    await bench(slurm, nodes, image ?? await smallImage(work));
  } finally {
    await slurm.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

async function bench(slurm: Slurm, nodes: readonly string[], image: string): Promise<void> {
  const allocation = ["--no-shell", `--nodes=${nodes.length}`, "--overcommit"];
  const { stderr } = await slurm.client(["salloc", ...allocation]);
  const job = /allocation (\d+)/.exec(stderr)?.[1];
  if (job === undefined) throw new Error(stderr);
  const on = (node: string, container: readonly string[]) => ({
    slurm: [`--jobid=${job}`, "--overlap", "--ntasks=1", "--nodes=1", `--nodelist=${node}`],
    container,
  });
  for (const node of nodes) {
    for (const name of ["idle", "running"]) {
      await slurm.step(
        ["true"],
        on(node, [`--container-image=${image}`, `--container-name=${name}`]),
      );
    }
  }
  const running = nodes.map((node) =>
    slurm.srun(["sleep", "1000"], on(node, ["--container-name=running"]))
  );
  for (const node of nodes) {
    const join_ = on(node, ["--container-name=running:exec"]);
    await waitUntil("it runs", async () => (await slurm.srun(["true"], join_)).exitCode === 0);
  }
  const cases: Cases = [
    ["without a container", []],
    ["--container-image=FILE", [`--container-image=${image}`]],
    ["--container-name, stopped", ["--container-name=idle"]],
    ["--container-name, running", ["--container-name=running"]],
  ];
  await measure(nodes, cases, (node, container) => slurm.step(["true"], on(node, container)));
  await slurm.client(["scancel", job]);
  await Promise.all(running);
}

async function measure(
  nodes: readonly string[],
  cases: Cases,
  step: (node: string, container: readonly string[]) => Promise<unknown>,
): Promise<void> {
  console.log(
    ["step".padEnd(28), ...nodes.map((node) => `${node}: median, least ms`.padStart(28))].join(""),
  );
  for (const [title, container] of cases) {
    const times = nodes.map(() => [] as number[]);
    for (let run = 0; run < RUNS; run++) {
      for (const [index, node] of nodes.entries()) {
        const begun = performance.now();
        await step(node, container);
        times[index]!.push(performance.now() - begun);
      }
    }
    const columns = times.map((values) => {
      values.sort((a, b) => a - b);
      return `${values[RUNS >> 1]!.toFixed(0).padStart(8)}${values[0]!.toFixed(0).padStart(8)}`;
    });
    console.log([title.padEnd(28), ...columns.map((text) => text.padStart(28))].join(""));
  }
}

/**
 * pyxis passes no paths on, and enroot's own configuration is not this cluster's. enroot's list does not
 * find running containers where their directory is mounted on another path, as /run/node is.
 */
function enrootScript(enroot: string): string {
  return `#!/bin/sh
export PATH="$PATH:${dirname(enroot)}"
export ENROOT_DATA_PATH="\${SLURM_CONF%/*}/nodes/enroot/data/containers" ENROOT_RUNTIME_PATH=/run/node/runtime
export ENROOT_CACHE_PATH=/run/node/cache
exec ${enroot} "$@"
`;
}

async function smallImage(work: string): Promise<string> {
  const root = join(work, "root");
  mkdirSync(root);
  makeBusyboxRoot(root);
  const image = join(work, "small.sqsh");
  await runProgram("mksquashfs", [root, image, "-quiet", "-no-progress", "-all-root"]);
  await runProgram("chmod", ["-R", "a+rX", work]);
  return image;
}

await main(process.argv[2]);

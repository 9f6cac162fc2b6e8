/** denroot as pyxis's importer under a real Slurm: the nodes of jobs and steps import an image once. */

import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { releasedDenroot } from "../helpers/denroot_command.ts";
import type { Image } from "../helpers/image_fixture.ts";
import { nobody } from "../helpers/other_user.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { busyboxImage } from "../helpers/slurm/busybox_image.ts";
import { type Slurm, startSlurm, type StepOptions } from "../helpers/slurm/start_slurm.ts";
import { startWireProxy } from "../helpers/wire_proxy.ts";

const skip = process.getuid!() !== 0 && "only root can start a cluster";
const IMPORTER = "importer=/usr/local/bin/denroot-importer";
const NODES = ["n1", "n2", "mounted1", "mounted2"];
const scratch = scratchDirectory("slurm-share");
const share = join(scratch, "share");
/** One for each test that fetches one. Their tags are their content. */
const images: Record<string, Image> = {};
let registry: Registry;
let slurm: Slurm;

before(async () => {
  if (skip) return;
  registry = await startRegistry();
  for (const tag of ["step", "jobs", "local", "stalled"]) {
    images[tag] = busyboxImage(join(scratch, tag), tag);
    registry.add(images[tag], "box", tag);
  }
  chmodSync(scratch, 0o755);
  mkdirSync(share, { mode: 0o700 });
  chownSync(share, nobody, nobody);
  const [n1, n2, mounted1, mounted2] = NODES as [string, string, string, string];
  const mounts = `${IMPORTER} use_squashfuse=1`;
  slurm = await startSlurm({
    nodes: { [n1]: IMPORTER, [n2]: IMPORTER, [mounted1]: mounts, [mounted2]: mounts },
    denroot: releasedDenroot().command[0],
    settings: { DENROOT_SHARE_PATH: share, ENROOT_TEMP_PATH: "/run/node" },
  });
});

after(async () => {
  await slurm?.stop();
  await registry?.stop();
});

test("all nodes of a step get one image by one pull", { skip }, async () => {
  const output = await slurm.step(["sh", "-c", "echo $(hostname) $(cat /content)"], {
    slurm: ["--nodes=4", "--ntasks=8", "--ntasks-per-node=2"],
    container: [`--container-image=${named("step")}`],
  });
  const lines = NODES.flatMap((node) => [`${node} step`, `${node} step`]);
  assert.deepEqual(output.trim().split("\n").sort(), lines.sort());
  assert.deepEqual(requests("step"), { manifests: 1, layers: 1 });
  assert.deepEqual(NODES.flatMap(leftovers), []);
});

test(
  "scripts, their steps and other jobs import once when they come at once",
  { skip },
  async () => {
    const step = (node: string) => slurm.stepArguments(["cat", "/content"], on(node, "jobs"));
    const outputs = await Promise.all([
      slurm.batch("cat /content", on("n1", "jobs")),
      slurm.batch("cat /content", on("mounted1", "jobs")),
      slurm.batch(`srun -n1 ${step("n2").join(" ")} & srun -n1 ${step("n2").join(" ")}; wait`, {
        slurm: ["--nodelist=n2", "--ntasks=2"],
        env: { SLURM_OVERLAP: "1" },
      }),
      ...NODES.map((node) => slurm.step(["cat", "/content"], on(node, "jobs"))),
    ]);
    const said = outputs.map((output) => output.match(/(?<!:)jobs/g)?.length);
    assert.deepEqual(said, [1, 1, 2, 1, 1, 1, 1], outputs.join("\n"));
    assert.equal(requests("jobs").layers, 1);
    assert.equal(readdirSync(join(share, "images")).length, 2);
    assert.deepEqual(NODES.flatMap(leftovers), []);
  },
);

test("why there is no image reaches all nodes, by one request", { skip }, async () => {
  const { exitCode, stderr } = await slurm.srun(["true"], {
    slurm: ["--nodes=4", "--ntasks=4"],
    container: [`--container-image=${named("missing")}`],
  });
  assert.notEqual(exitCode, 0);
  assert.equal(stderr.match(/\[ERROR\] .*box:missing: not found/g)?.length, 4, stderr);
  assert.equal(requests("missing").manifests, 1);
});

test("a share that cannot be used fails no job, and the release removes the nodes' own images", {
  skip,
}, async () => {
  chmodSync(share, 0o777);
  const step = { container: [`--container-image=${named("local")}`], slurm: ["--nodes=4"] };
  const output = await slurm.step(["cat", "/content"], step);
  chmodSync(share, 0o700);
  assert.equal(output, "local".repeat(4));
  assert.equal(requests("local").layers, 4);
  assert.deepEqual(NODES.flatMap(leftovers), []);
});

test("a job that is cancelled in mid-import leaves nothing in the share", { skip }, async () => {
  const wire = await startWireProxy(registry.port, { stallAfter: 300_000 });
  try {
    const options = on("n1", "stalled", wire.host);
    const slurmOptions = [...options.slurm!, "--job-name=stalled"];
    const running = slurm.srun(["true"], { ...options, slurm: slurmOptions });
    await waitUntil("the layer arrives", () => wire.bytes() >= 300_000);
    await slurm.client(["scancel", "--name=stalled"]);
    assert.notEqual((await running).exitCode, 0);
  } finally {
    await wire.stop();
  }
  const left = () =>
    readdirSync(share, { recursive: true, encoding: "utf8" })
      .filter((path) => /\.sqsh$|\/\.|\/lease\.\d+$/.test(path) && !path.startsWith("images/"));
  await waitUntil("the importer has tidied up", () => left().length === 0);
  assert.deepEqual(leftovers("n1"), []);
});

function named(tag: string, host = registry.host): string {
  return `${host}#box:${tag}`;
}

function on(node: string, tag: string, host?: string): StepOptions {
  return {
    slurm: [`--nodelist=${node}`],
    container: [`--container-image=${named(tag, host)}`],
  };
}

/** What the registry was asked for, for this image. */
function requests(tag: string): { readonly manifests: number; readonly layers: number } {
  const layer = images[tag]?.layers[0]?.digest ?? "none";
  const lines = registry.log().split("\n").filter((line) => line.includes('"GET /v2/box/'));
  return {
    manifests: lines.filter((line) => line.includes(`/manifests/${tag} `)).length,
    layers: lines.filter((line) => line.includes(`/blobs/${layer} `)).length,
  };
}

/** Containers, and images of steps on the node alone. */
function leftovers(node: string): string[] {
  const [containers, own] = [slurm.containersOf(node), `denroot-share-${nobody}`];
  const directories = [containers, join(containers, "..", own)];
  return directories.flatMap((directory) => existsSync(directory) ? readdirSync(directory) : []);
}

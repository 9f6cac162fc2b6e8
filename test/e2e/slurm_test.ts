/** denroot as the `enroot` of a real Slurm: what pyxis calls works in jobs of an ordinary user. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { releasedDenroot } from "../helpers/denroot_command.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { busyboxImage } from "../helpers/slurm/busybox_image.ts";
import { type Slurm, startSlurm, type StepOptions } from "../helpers/slurm/start_slurm.ts";
import { startWireProxy } from "../helpers/wire_proxy.ts";

const skip = process.getuid!() !== 0 && "only root can start a cluster";
let registry: Registry;
let slurm: Slurm;
/** The name in the registry, without a scheme, and the image's file in the user's home. */
let name: string;
const FILE = "./box.sqsh";

before(async () => {
  if (skip) return;
  registry = await startRegistry();
  registry.add(busyboxImage(scratchDirectory("image")), "box");
  name = `${registry.host}#box`;
  slurm = await startSlurm({
    nodes: {
      n1: "",
      n2: "",
      jobs: "container_scope=job use_enroot_load=1",
      mounted: "use_squashfuse=1",
    },
    denroot: releasedDenroot().command[0],
  });
  await slurm.step(["enroot", "import", "-o", FILE, `docker://${name}`], on("n1", []));
});

after(async () => {
  await slurm?.stop();
  await registry?.stop();
});

test("a step imports an image by its name, and nothing of it stays", { skip }, async () => {
  assert.equal(
    await slurm.step(["cat", "/content"], on("n1", [`image=${name}`])),
    "of the image\n",
  );
  assert.deepEqual(containers("n1"), []);
  assert.equal(await slurm.step(["ls", "/run/pyxis/65534"], on("n1", [])), "");
});

test("each option of pyxis has its effect", { skip }, async () => {
  writeFileSync(join(slurm.home, "mark"), "of the home\n");
  const isWritten = "touch /x 2> /dev/null && echo yes || echo no";
  const cases: readonly (readonly [options: readonly string[], script: string, printed: string])[] =
    [
      [[], "id -u; pwd; echo $ENTRYPOINT", "65534\n/\n\n"],
      [["remap-root"], "id -u; cd; pwd", "0\n/root\n"],
      [["mount-home"], "cd; pwd; cat mark", `${slurm.home}\nof the home\n`],
      [["workdir=/etc"], "pwd", "/etc\n"],
      [
        [`mounts=${slurm.home}:/mnt/a b:ro`],
        "cd '/mnt/a b'; cat mark; touch x || echo no",
        "of the home\nno\n",
      ],
      [["readonly"], isWritten, "no\n"],
      [["writable"], isWritten, "yes\n"],
      [["entrypoint"], "echo $ENTRYPOINT", "ran\n"],
      [["unshare=net,ipc,uts"], "ls /sys/class/net", "lo\n"],
    ];
  const outputs = await inTurns(
    cases,
    ([options, script], index) =>
      slurm.step(["sh", "-c", script], on(`n${1 + index % 2}`, [`image=${FILE}`, ...options])),
  );
  assert.deepEqual(outputs, cases.map(([, , printed]) => printed));
});

test(
  "the image's variables come before the job's, but for those of --container-env",
  { skip },
  async () => {
    const env = { FROM_IMAGE: "job", OWN: "job", LANG: "C.UTF-8" };
    const script = "echo $FROM_IMAGE $OWN $LANG";
    const run = (options: readonly string[]) =>
      slurm.step(["sh", "-c", script], { ...on("n1", [`image=${FILE}`, ...options]), env });
    assert.deepEqual(await Promise.all([run([]), run(["env=FROM_IMAGE,LANG"])]), [
      "image job\n",
      "job job C.UTF-8\n",
    ]);
  },
);

test("the log of an entrypoint can be seen", { skip }, async () => {
  const options = on("n1", [`image=${FILE}`, "entrypoint", "entrypoint-log"]);
  const { stdout, stderr } = await slurm.srun(["echo", "done"], options);
  assert.equal(stdout, "done\n");
  assert.match(stderr, /the entrypoint runs/);
});

test("a named container is used again, and joined while it runs", { skip }, async () => {
  const named = (flag: string, ...more: string[]) => on("n2", [`name=kept${flag}`, ...more]);
  const write = ["sh", "-c", "echo written > /file"];
  await slurm.step(write, named(":create", `image=${name}`, "writable"));
  const wait = "cat /file; echo up > /tmp/mark; until [ -e /tmp/go ]; do sleep 0.1; done";
  const running = slurm.step(["sh", "-c", wait], named(""));
  const join_ = "until [ -e /tmp/mark ]; do sleep 0.1; done; cat /tmp/mark; touch /tmp/go";
  await waitUntil(
    "it can be joined",
    async () => (await slurm.srun(["sh", "-c", join_], named(":exec"))).stdout === "up\n",
  );
  assert.equal(await running, "written\n");
  const again = await slurm.srun(["true"], named(":create", `image=${name}`));
  assert.match(again.stderr, /the container already exists/);
  assert.deepEqual(containers("n2"), ["pyxis_kept"]);
  await slurm.step(["enroot", "remove", "-f", "pyxis_kept"], on("n2", []));
});

test("--container-save writes the image that the next step starts from", { skip }, async () => {
  const save = ["writable", "save=saved.sqsh"];
  await slurm.step(["touch", "/added"], on("n1", [`image=${FILE}`, ...save]));
  assert.equal(await slurm.step(["ls", "/added"], on("n1", ["image=./saved.sqsh"])), "/added\n");
});

test("tasks share their node's container, and each node has one", { skip }, async () => {
  const slurmOptions = ["--nodes=2", "--ntasks=4", "--nodelist=n1,n2"];
  const output = await slurm.step(
    ["sh", "-c", "echo $SLURM_PROCID $(hostname) $(readlink /proc/self/ns/mnt)"],
    { slurm: slurmOptions, container: [`--container-image=${FILE}`] },
  );
  const lines = output.trim().split("\n").map((line) => line.split(" "));
  assert.deepEqual(lines.map(([task]) => task).sort(), ["0", "1", "2", "3"]);
  const places = new Set(lines.map(([, node, namespace]) => `${node} ${namespace}`));
  assert.deepEqual([...places].map((place) => place.split(" ")[0]).sort(), ["n1", "n2"]);
  assert.deepEqual([...containers("n1"), ...containers("n2")], []);
});

test("eight jobs at once do not get into each other's way", { skip }, async () => {
  const jobs = Array.from(
    { length: 8 },
    (_, index) => slurm.step(["echo", String(index)], on(`n${1 + index % 2}`, [`image=${FILE}`])),
  );
  assert.deepEqual(await Promise.all(jobs), jobs.map((_, index) => `${index}\n`));
  assert.deepEqual([...containers("n1"), ...containers("n2")], []);
});

test("a job's script runs in a container", { skip }, async () => {
  const output = await slurm.batch(
    "cat /content; id -u",
    on("n1", [`image=${name}`, "remap-root"]),
  );
  assert.match(output, /of the image\n0\n$/);
  assert.deepEqual(containers("n1"), []);
});

test(
  "a job's containers are loaded, used by its steps, and removed at its end",
  { skip },
  async () => {
    const command = (script: string, options: readonly string[]) =>
      "srun " + slurm.stepArguments(["sh", "-c", `'${script}'`], on("jobs", options)).join(" ");
    const output = await slurm.batch(
      [
        command("echo first > /file", ["name=box", `image=${name}`, "writable"]),
        command("cat /file", ["name=box"]),
        "enroot list",
      ].join("\n"),
      { slurm: ["--nodelist=jobs"] },
    );
    assert.match(output, /first\npyxis_\d+_box\n$/);
    assert.deepEqual(containers("jobs"), []);
  },
);

test("an image file is mounted for as long as the step lasts", { skip }, async () => {
  const script = "cat /content; hostname; cat /proc/self/mounts";
  const options = { ...on("mounted", [`image=${FILE}`]), slurm: ["-n2", "--nodelist=mounted"] };
  const output = await slurm.step(["sh", "-c", script], options);
  assert.equal(output.match(/^of the image$/gm)?.length, 2, output);
  assert.match(output, /^overlay \/ overlay /m);
  assert.deepEqual(containers("mounted"), []);
});

test(
  "what is wrong with an image is said in a few lines, and nothing stays",
  { skip },
  async () => {
    const { exitCode, stderr } = await slurm.srun(["true"], on("n1", [`image=${name}:missing`]));
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /\[ERROR\] .*missing/);
    assert.ok(stderr.split("\n").length < 15, stderr);
    const broken = await slurm.srun(["true"], on("n1", ["image=./mark"]));
    assert.match(broken.stderr, /\[ERROR\] .*mark/);
    assert.deepEqual(containers("n1"), []);
  },
);

test("a job that is cancelled leaves no container", { skip }, async () => {
  const up = join(slurm.home, "up");
  const running = slurm.srun(["sh", "-c", `touch ${up}; exec sleep 600`], {
    ...on("n1", [`image=${FILE}`, "mount-home"]),
    slurm: ["--nodelist=n1", "--job-name=cancelled"],
  });
  await waitUntil("it runs", () => existsSync(up));
  await slurm.client(["scancel", "--name=cancelled"]);
  assert.notEqual((await running).exitCode, 0);
  await waitUntil("its container is gone", () => containers("n1").length === 0);
});

for (const [node, does] of [["n1", "imports"], ["jobs", "loads"]] as const) {
  test(`a job that is cancelled while it ${does} an image leaves nothing`, { skip }, async () => {
    // The layer is not in this node's cache, and never comes to its end.
    await slurm.step(["rm", "-rf", "/run/node/cache-65534"], on(node, []));
    const wire = await startWireProxy(registry.port, { stallAfter: 300_000 });
    try {
      const running = slurm.srun(["true"], {
        ...on(node, [`image=${wire.host}#box`]),
        slurm: [`--nodelist=${node}`, `--job-name=stalled-${node}`],
      });
      await waitUntil("the layer arrives", () => wire.bytes() >= 300_000);
      await slurm.client(["scancel", `--name=stalled-${node}`]);
      assert.notEqual((await running).exitCode, 0);
    } finally {
      await wire.stop();
    }
    assert.deepEqual(containers(node), []);
    assert.equal(await slurm.step(["ls", "-A", "/run/pyxis/65534"], on(node, [])), "");
  });
}

/** A step on one node. pyxis's options are given without `--container-`. */
function on(node: string, container: readonly string[]): StepOptions {
  return {
    slurm: [`--nodelist=${node}`],
    container: container.map((option) => `--container-${option}`),
  };
}

function containers(node: string): string[] {
  const path = slurm.containersOf(node);
  return existsSync(path) ? readdirSync(path) : [];
}

/** Runs some at once. */
async function inTurns<One, Result>(
  all: readonly One[],
  run: (one: One, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const AT_ONCE = 4;
  for (let first = 0; first < all.length; first += AT_ONCE) {
    const some = all.slice(first, first + AT_ONCE);
    results.push(...await Promise.all(some.map((one, index) => run(one, first + index))));
  }
  return results;
}

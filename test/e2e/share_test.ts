/** Many nodes, one import: simulated nodes with processes, mounts, names and clocks of their own. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { type FakeRegistry, startFakeRegistry } from "../helpers/fake_registry.ts";
import { readableDenroot, releasedDenroot } from "../helpers/denroot_command.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { nobody } from "../helpers/other_user.ts";
import {
  type ProgramResult,
  type RunningProgram,
  runProgram,
  waitUntil,
} from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages } from "../helpers/serve_images.ts";
import { type NodeOptions, startOnNode } from "../helpers/simulated_nodes.ts";
import { file } from "../helpers/tar_fixture.ts";

const NEEDS_ROOT = { skip: process.getuid!() === 0 ? false : "needs root, to make nodes" };
const LEASE_SECONDS = 2;
const scratch = scratchDirectory("share");
const images: Record<string, Image> = {};
/** Layers are sent when this is resolved. */
let gate = Promise.withResolvers<void>();
let registry: FakeRegistry;
let [denroot] = releasedDenroot().command;
let steps = 0;

before(async () => {
  fs.chmodSync(scratch, 0o755);
  [denroot] = readableDenroot(scratch).command;
  gate.resolve();
  images.latest = writeImage(join(scratch, "layout"), {
    layers: [[file("data", randomBytes(2_000_000))]],
    tag: "latest",
  });
  registry = await startFakeRegistry(serveImages(images, {
    delay: (digest) => images.latest!.layers[0]!.digest === digest ? gate.promise : undefined,
  }));
});

after(() => registry?.[Symbol.asyncDispose]());

test("nodes with other clocks and stale caches get one image by one pull", NEEDS_ROOT, async () => {
  const share = newShare();
  const asked = countRequests();
  const nodes = startStep(6, share, (index) => ({
    ...(index % 2 === 1 && { clockAheadS: 3600 }),
    ...(index % 3 === 2 && { stale: { directory: share, seconds: 5 } }),
  }));
  const paths = (await succeed(nodes)).map(({ stdout }) => stdout);
  assert.deepEqual(new Set(paths), new Set([`${join(share, "images", imagesIn(share)[0]!)}\n`]));
  assert.deepEqual(asked(), { manifests: 1, layers: 1 });
  assert.deepEqual(leftovers(share), []);
});

test(
  "a node that crashed in mid-import is replaced within the lease time",
  NEEDS_ROOT,
  async () => {
    const share = newShare();
    gate = Promise.withResolvers();
    const asked = countRequests();
    // The dead node's lease of the layer lies in a cache that all nodes have.
    const cache = join(scratch, "cache-of-all-nodes");
    const nodes = startStep(4, share, () => ({ env: { ENROOT_CACHE_PATH: cache } }));
    await waitUntil("a node fetches the layer", () => asked().layers === 1);
    nodes[0]!.child.kill("SIGKILL");
    const killedMs = performance.now();
    gate.resolve();
    await succeed(nodes.slice(1));
    assert.ok(performance.now() - killedMs < 10 * LEASE_SECONDS * 1000);
    assert.equal(asked().layers, 2);
    assert.equal(imagesIn(share).length, 1);
  },
);

test("a node that slept through its lease does no harm when it wakes up", NEEDS_ROOT, async () => {
  const share = newShare();
  gate = Promise.withResolvers();
  const asked = countRequests();
  const nodes = startStep(3, share);
  await waitUntil("a node fetches the layer", () => asked().layers === 1);
  const sleeper = innermost(nodes[0]!.pid);
  process.kill(sleeper, "SIGSTOP");
  gate.resolve();
  const [first] = await succeed(nodes.slice(1));
  process.kill(sleeper, "SIGCONT");
  const [woken] = await succeed(nodes.slice(0, 1));
  assert.equal(woken!.stdout, first!.stdout);
  assert.equal(imagesIn(share).length, 1);
  assert.deepEqual(leftovers(share), []);
});

test(
  "a node that is told to stop leaves nothing, and another one goes on at once",
  NEEDS_ROOT,
  async () => {
    const share = newShare();
    gate = Promise.withResolvers();
    const asked = countRequests();
    const nodes = startStep(2, share, () => ({ env: { DENROOT_SHARE_LEASE_SECONDS: "600" } }));
    await waitUntil("a node fetches the layer", () => asked().layers === 1);
    process.kill(innermost(nodes[0]!.pid), "SIGTERM");
    gate.resolve();
    await succeed(nodes.slice(1));
    assert.equal((await nodes[0]!.done).exitCode, 143);
    assert.deepEqual(leftovers(share), []);
  },
);

test("an error that is final reaches all nodes at once, by one request", NEEDS_ROOT, async () => {
  const share = newShare();
  const asked = countRequests();
  const nodes = startStep(5, share, () => ({}), "absent");
  const ends: number[] = [];
  for (const node of nodes) void node.done.then(() => ends.push(performance.now()));
  const results = await Promise.all(nodes.map((node) => node.done));
  assert.deepEqual(results.map(({ exitCode }) => exitCode), [1, 1, 1, 1, 1]);
  assert.equal(new Set(results.map(({ stderr }) => stderr.replace(/^\[INFO\].*\n/gm, ""))).size, 1);
  assert.match(results[0]!.stderr, /app:absent: not found/);
  assert.ok(Math.max(...ends) - Math.min(...ends) < 4000);
  assert.deepEqual(asked(), { manifests: 1, layers: 0 });
});

test("a full share costs a warning, and each node imports for itself", NEEDS_ROOT, async () => {
  const share = newShare();
  fs.mkdirSync(share);
  await runProgram("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "full", share]);
  try {
    const results = await succeed(startStep(3, share));
    for (const { stdout, stderr } of results) {
      assert.match(stdout, /^\/.*\/denroot-share-0\/step-.*\.sqsh\n$/);
      assert.equal(stderr.match(/\[WARN\] The share .* cannot be used/g)?.length, 1);
    }
    assert.equal(new Set(results.map(({ stdout }) => dirname(stdout))).size, 3);
  } finally {
    await runProgram("umount", [share]);
  }
});

test("a node that only reads needs to write nothing in the share", NEEDS_ROOT, async () => {
  const share = newShare();
  const [made] = await succeed(startStep(1, share));
  const readers = startStep(4, share, () => ({ readOnly: [share] }));
  const ends: number[] = [];
  for (const reader of readers) void reader.done.then(() => ends.push(performance.now()));
  const results = await succeed(readers);
  assert.deepEqual(new Set(results.map(({ stdout }) => stdout)), new Set([made!.stdout]));
  // None waits until another one may have come that can write.
  assert.ok(Math.max(...ends) - Math.min(...ends) < 2500);
});

test("a node that only reads waits for one that makes the image", NEEDS_ROOT, async () => {
  const share = newShare();
  const asked = countRequests();
  const results = await succeed(
    startStep(3, share, (index) => index > 0 ? { readOnly: [share] } : {}),
  );
  assert.deepEqual(
    new Set(results.map(({ stdout }) => stdout)),
    new Set([`${join(share, "images", imagesIn(share)[0]!)}\n`]),
  );
  assert.equal(asked().layers, 1);
});

test("users read the site's images, and none of each other's", NEEDS_ROOT, async () => {
  const share = newShare();
  fs.mkdirSync(join(share, "users"), { recursive: true });
  fs.chmodSync(share, 0o755);
  fs.chmodSync(join(share, "users"), 0o1777);
  const asOther = () => ({ uid: nobody });
  const [own] = await succeed(startStep(1, share, asOther));
  assert.ok(own!.stdout.startsWith(join(share, "users", String(nobody), "images")));
  assert.equal(fs.statSync(join(share, "users", String(nobody))).mode & 0o777, 0o700);
  const [sites] = await succeed(startStep(1, share));
  assert.ok(sites!.stdout.startsWith(join(share, "images")));
  const asked = countRequests();
  const [shared] = await succeed(startStep(1, share, asOther));
  assert.equal(shared!.stdout, sites!.stdout);
  assert.equal(asked().layers, 0);
});

test(
  "jobs of one node import once, also on a file system without hard links",
  NEEDS_ROOT,
  async () => {
    const share = newShare();
    const asked = countRequests();
    const noLinks = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=link,linkat"];
    const jobs = Array.from({ length: 4 }, () =>
      startStep(1, share, () => ({}), "latest", [
        ...noLinks,
        "-e",
        "inject=link,linkat:error=EPERM",
      ]));
    const results = await succeed(jobs.flat());
    assert.equal(
      new Set(results.map(({ stdout }) => stdout)).size,
      1,
    );
    assert.match(imagesIn(share).join(), /^sha256-[0-9a-f]+-[0-9a-f]{12}\.[0-9a-f]{8}\.sqsh$/);
    assert.deepEqual(asked(), { manifests: 4, layers: 1 });
  },
);

test(
  "pyxis's importer: get prints a path, release may come twice and without an environment",
  NEEDS_ROOT,
  async () => {
    const share = newShare();
    const importer = join(scratch, "denroot-importer");
    fs.symlinkSync(denroot, importer);
    // Without a share the image is this machine's, and goes with the step.
    const env = {
      ...environment(share, "importer"),
      DENROOT_SHARE_PATH: undefined,
      SLURM_JOB_ID: "77",
    };
    const { stdout } = await runProgram(importer, ["get", uri("latest")], { env });
    const path = stdout.split("\n")[0]!;
    assert.ok(fs.existsSync(path));
    const blocked = ["--block-signal=TERM", "--block-signal=HUP", importer, "release"];
    for (let time = 0; time < 2; time++) await runProgram("env", blocked, { env });
    assert.ok(!fs.existsSync(path));
    const bare = { ENROOT_SYSCONF_PATH: join(scratch, "sysconf"), DENROOT_SHARE_PATH: share };
    await runProgram(importer, ["release"], { env: bare });
  },
);

test(
  "status names who imports, and what a killed process left goes with the release",
  NEEDS_ROOT,
  async () => {
    const share = newShare();
    gate = Promise.withResolvers();
    const asked = countRequests();
    const env = { ...environment(share, "status"), SLURM_JOB_ID: "78" };
    const killed = runProgram(denroot, ["share", "get", uri("latest")], { env }).catch(() => {});
    await waitUntil("the layer is fetched", () => asked().layers === 1);
    const status = async () =>
      JSON.parse((await runProgram(denroot, ["share", "status", "--json"], { env })).stdout).work;
    const work = await status();
    assert.deepEqual(work.map(({ type }: { type: string }) => type), ["import", "step"]);
    assert.ok(work.every(({ uri: said }: { uri: string }) => said === uri("latest")));
    process.kill(work[0].pid, "SIGKILL");
    gate.resolve();
    await killed;
    await runProgram(denroot, ["share", "release"], { env });
    assert.deepEqual(await status(), []);
    assert.deepEqual(leftovers(share), []);
  },
);

function uri(tag: string): string {
  return `docker://${registry.host}#app:${tag}`;
}

function newShare(): string {
  return join(scratch, `share-${++steps}`);
}

function startStep(
  count: number,
  share: string,
  options: (index: number) => Partial<NodeOptions> = () => ({}),
  tag = "latest",
  inside: readonly string[] = [],
): RunningProgram[] {
  const step = `${++steps}.0`;
  fs.mkdirSync(share, { recursive: true, mode: 0o700 });
  return Array.from({ length: count }, (_, index) => {
    const { env, ...rest } = options(index);
    return startOnNode([...inside, denroot, "share", "get", uri(tag)], {
      index,
      step,
      ...rest,
      env: { ...environment(share, `${step}-${index}`), ...env },
    });
  });
}

function environment(share: string, name: string): Record<string, string | undefined> {
  const home = join(scratch, `home-${name}`);
  fs.mkdirSync(home, { mode: 0o777 });
  fs.chmodSync(home, 0o1777);
  return {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: home,
    ENROOT_TEMP_PATH: home,
    ENROOT_SYSCONF_PATH: join(scratch, "sysconf"),
    ENROOT_ALLOW_HTTP: "y",
    DENROOT_MKSQUASHFS: process.env.DENROOT_MKSQUASHFS,
    DENROOT_SHARE_PATH: share,
    DENROOT_SHARE_LEASE_SECONDS: String(LEASE_SECONDS),
  };
}

async function succeed(nodes: readonly RunningProgram[]): Promise<ProgramResult[]> {
  const results = await Promise.all(nodes.map((node) => node.done));
  for (const { exitCode, stderr } of results) assert.equal(exitCode, 0, stderr);
  return results;
}

/** Requests from now on. */
function countRequests(): () => { readonly manifests: number; readonly layers: number } {
  const start = registry.requests.length;
  const layer = images.latest!.layers[0]!.digest;
  return () => {
    const lines = registry.requests.slice(start).map(({ line }) => line);
    return {
      manifests: lines.filter((line) => line.includes("/manifests/")).length,
      layers: lines.filter((line) => line.includes(layer)).length,
    };
  };
}

function imagesIn(share: string): string[] {
  return fs.readdirSync(join(share, "images"));
}

/** Everything but images, marks of their use, and what steps and imports said. */
function leftovers(share: string): string[] {
  return fs.readdirSync(share, { recursive: true, encoding: "utf8" })
    .filter((path) => fs.statSync(join(share, path)).isFile())
    .filter((path) => path !== ".tidied")
    .filter((path) => !/^(images|uses)\/sha256-[0-9a-f]+-[0-9a-f]{12}(\.sqsh)?$/.test(path))
    .filter((path) => !/^(steps|work)\/.+\/(done|over)\.\d$/.test(path))
    .filter((path) => !/^steps\/.+\/(lease\.\d|ready|resolved)$/.test(path));
}

/** The process that unshare and the shell became. */
function innermost(pid: number): number {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? pid : Number(children.split(" ")[0]);
}

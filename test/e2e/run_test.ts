/** `run`: from a URI, an image file or a definition to a container in one step. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { before } from "node:test";
import { busyboxLayer } from "../helpers/busybox_layer.ts";
import { type Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import { startFakeRegistry } from "../helpers/fake_registry.ts";
import { letUsersMount, serversBelow } from "../helpers/fuse.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages } from "../helpers/serve_images.ts";
import { file } from "../helpers/tar_fixture.ts";

const directory = scratchDirectory("run");
const [one, two] = ["one", "two"].map((tag) =>
  writeImage(directory, {
    layers: [busyboxLayer(), [file("name", tag), file("src/here", "")]],
    config: { Env: ["PATH=/bin", "FROM_IMAGE=yes"] },
    tag,
  })
) as [Image, Image];

before(letUsersMount);

const READ = ["cat", "/name"];

testEachRuntime(
  "a new image is imported, and later runs ask for the tag alone",
  async (denroot) => {
    mkdirSync(join(denroot.home, "runtime"));
    const images = { t: one };
    await using registry = await startFakeRegistry((request) => serveImages(images)(request));
    const uri = `docker://${registry.host}#app:t`;
    const run = async (...args: string[]) => {
      const before = registry.requests.length;
      const { stdout, stderr } = await denroot.succeed(["run", ...args]);
      const asked = registry.requests.slice(before).map(({ line }) => line.replace(/ HTTP.*/, ""));
      return { stdout, stderr, asked };
    };
    const first = await run(uri, ...READ);
    assert.equal(first.stdout, "one");
    assert.match(first.stderr, /^\[INFO\] Wrote .*\/images-\d+\/sha256-\S+\.sqsh \(.*\) in .* s$/m);
    assert.deepEqual(await run(uri, ...READ), {
      stdout: "one",
      stderr: "",
      asked: ["GET /v2/app/manifests/t"],
    });
    assert.deepEqual(await run("--offline", uri, ...READ), {
      stdout: "one",
      stderr: "",
      asked: [],
    });

    const exact = `docker://${registry.host}#app@${one.manifest.digest}`;
    assert.equal((await run(exact, ...READ)).stdout, "one");
    assert.deepEqual((await run(exact, ...READ)).asked, []);

    images.t = two;
    assert.equal((await run("--offline", uri, ...READ)).stdout, "one");
    assert.equal((await run(uri, ...READ)).stdout, "two");
    assert.equal((await run("--offline", uri, ...READ)).stdout, "two");
    const other = await denroot.run(["run", "--offline", `docker://${registry.host}#app:other`]);
    assert.match(other.stderr, /app:other was not run before, and --offline asks no registry/);
  },
);

testOneRuntime("another packing or platform is another image", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  const uri = `oci:${directory}:one`;
  const imports = async (env: Record<string, string>, ...args: string[]) =>
    /Wrote/.test((await denroot.succeed(["run", ...args, uri, ...READ], { env })).stderr);
  assert.ok(await imports({}));
  assert.ok(!await imports({}));
  assert.ok(await imports({ ENROOT_SQUASH_OPTIONS: "-comp gzip" }));
  assert.ok(!await imports({ ENROOT_SQUASH_OPTIONS: "-comp gzip" }));
  assert.ok(await imports({ SOURCE_DATE_EPOCH: "1" }));
  assert.ok(await imports({}, "--force"));
});

testOneRuntime("of several runs at once one imports, and all start", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  await using registry = await startFakeRegistry(serveImages({ t: one }, {
    delay: () => new Promise((resolve) => setTimeout(resolve, 300)),
  }));
  const runs = await Promise.all(
    [1, 2, 3].map(() => denroot.succeed(["run", `docker://${registry.host}#app:t`, ...READ])),
  );
  assert.deepEqual(runs.map(({ stdout }) => stdout), ["one", "one", "one"]);
  const said = runs.map(({ stderr }) => stderr).join("");
  assert.equal(said.match(/Wrote/g)?.length, 1, said);
  assert.match(said, /Waiting for process \d+ on host \S+, which imports the image/);
  const { digest } = one.layers[0]!;
  assert.equal(registry.requests.filter(({ line }) => line.includes(digest)).length, 1);
  assert.deepEqual(imagesOf(denroot).filter((name) => !name.endsWith(".name")).length, 1);
});

testOneRuntime("a run that is stopped leaves nothing, and the next one works", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  let isStalled = true;
  await using registry = await startFakeRegistry(serveImages({ t: one }, {
    delay: () => isStalled ? new Promise((resolve) => setTimeout(resolve, 2000)) : undefined,
  }));
  const uri = `docker://${registry.host}#app:t`;
  const stopped = denroot.start(["run", uri, ...READ]);
  await waitUntil(
    "a blob is asked for",
    () => registry.requests.some(({ line }) => line.includes("/blobs/")),
  );
  stopped.child.kill("SIGTERM");
  assert.equal((await stopped.done).exitCode, 143);
  assert.deepEqual(imagesOf(denroot), []);
  isStalled = false;
  assert.equal((await denroot.succeed(["run", uri, ...READ])).stdout, "one");
});

testOneRuntime("after an import signals are the container's own", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  const script = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
  const words = ["run", `oci:${directory}:one`, "/bin/sh", "-c", script];
  const blocked = [
    "python3",
    "-c",
    "import os, signal, sys\n" +
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])\n" +
    "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" +
    // Python ignores them itself.
    "for one in (signal.SIGPIPE, signal.SIGXFSZ): signal.signal(one, signal.SIG_DFL)\n" +
    "os.execvp(sys.argv[1], sys.argv[1:])",
  ] as const;
  const run = async (command: readonly string[]) => {
    const [program, ...args] = [...blocked, ...command];
    return (await startProgram(program!, args, { env: denroot.environment() }).done).stdout;
  };
  const direct = await run(["/usr/bin/busybox", "sh", "-c", script]);
  assert.match(direct, /SigBlk:\s+0*4200\n/);
  assert.equal(await run([...denroot.runtime.command, ...words]), direct);
  assert.equal(await run([...denroot.runtime.command, ...words]), direct);
});

testOneRuntime("pruning keeps an image while a container runs from it", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  const program = denroot.start([
    "run",
    `oci:${directory}:one`,
    "/bin/sh",
    "-c",
    "echo; exec sleep 600",
  ]);
  await waitUntil(
    "the container runs",
    () => program.child.stdout !== null && imagesOf(denroot).length > 0 && isServed(denroot),
  );
  makeOld(denroot);
  const prune = async () =>
    JSON.parse((await denroot.succeed(["cache", "prune", "--older-than", "1d", "--json"])).stdout);
  const running = await prune();
  assert.deepEqual([running.removed.length, running.inUse.count], [0, 1]);
  program.child.kill("SIGKILL");
  await program.done;
  await waitUntil("nothing serves the image", () => !isServed(denroot));
  assert.match((await denroot.succeed(["cache"])).stdout, /^Images {6}1 \(/m);
  assert.deepEqual((await prune()).removed.map(({ type }: { type: string }) => type), ["image"]);
  assert.deepEqual(imagesOf(denroot), []);
});

testOneRuntime("a directory that others can change keeps no images", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  chmodSync(denroot.cache, 0o777);
  const { exitCode, stderr } = await denroot.run(["run", `oci:${directory}:one`, ...READ]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /No images can be kept in .*cache: others may write.*\n.*ENROOT_CACHE_PATH/);
});

testOneRuntime("image files and definitions run too", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  const image = await denroot.import(`oci:${directory}:two`);
  assert.equal((await denroot.succeed(["run", image, ...READ])).stdout, "two");
  const definition = writeDefinition(denroot, ["image oci:" + directory + ":one"]);
  assert.equal((await denroot.succeed(["run", definition, ...READ])).stdout, "one");
  await denroot.succeed(["create", "--name", "box", image]);
  const named = await denroot.run(["run", "box", ...READ]);
  assert.equal(named.exitCode, 1);
  assert.match(named.stderr, /There is a container of this name: denroot start box starts it\n/);
  const refused = await denroot.run(["run", "-a", "arm64", definition, ...READ]);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /is a definition, which has its own line for the platform/);
});

testOneRuntime("a definition starts its container with all that it says", async (denroot) => {
  mkdirSync(join(denroot.home, "runtime"));
  const data = join(denroot.home, "data-of-mine");
  mkdirSync(data);
  writeFileSync(join(data, "found"), "found\n");
  writeFileSync(
    join(denroot.work, "job.sh"),
    "#ENROOT_MOUNT_HOME=n\nenviron() { echo FROM_CONF=conf; }\n",
  );
  const definition = writeDefinition(denroot, [
    `image oci:${directory}:one`,
    `mount ${data}:/mnt/data:none:x-create=dir,bind,ro`,
    "env COLOUR=red",
    "workdir /src",
    "writable yes",
    "remap-root yes",
    "conf job.sh",
  ]);
  const script = "cat /mnt/data/found; echo $COLOUR $FROM_CONF $FROM_IMAGE; pwd; id -u; " +
    "echo x > /new && echo written; exit 9";
  const run = (...args: string[]) =>
    startProgram(...denrootWords(denroot, [definition, ...args]), {
      env: denroot.environment(),
      cwd: denroot.home,
    }).done;
  const first = await run("/bin/sh", "-c", script);
  assert.equal(first.stdout, "found\nred conf yes\n/src\n0\nwritten\n");
  assert.equal(first.exitCode, 9);
  assert.match(first.stderr, /Wrote/);
  const second = await run("--env", "COLOUR=blue", "/bin/sh", "-c", "echo $COLOUR");
  assert.deepEqual([second.stdout, second.stderr], ["blue\n", ""]);
  const plan = JSON.parse((await run("--dry-run", "--json", "ls", "--force")).stdout);
  assert.deepEqual(plan.request?.command ?? plan.command.argv.slice(-2), ["ls", "--force"]);
  assert.equal((await run("--json", "ls")).exitCode, 2);
});

function denrootWords(denroot: Denroot, args: readonly string[]): [string, string[]] {
  const [program, ...first] = denroot.runtime.command;
  return [program, [...first, ...args]];
}

function writeDefinition(denroot: Denroot, lines: readonly string[]): string {
  const path = join(denroot.work, "app");
  writeFileSync(path, ["#!/usr/bin/env denroot", ...lines, ""].join("\n"), { mode: 0o755 });
  const old = Date.now() / 1000 - 60;
  utimesSync(path, old, old);
  return path;
}

function imagesDirectory(denroot: Denroot): string {
  return join(denroot.cache, `images-${process.geteuid!()}`);
}

function imagesOf(denroot: Denroot): string[] {
  return existsSync(imagesDirectory(denroot)) ? readdirSync(imagesDirectory(denroot)) : [];
}

function isServed(denroot: Denroot): boolean {
  return serversBelow(dirname(imagesDirectory(denroot))).length > 0;
}

function makeOld(denroot: Denroot): void {
  const seconds = Date.now() / 1000 - 40 * 24 * 60 * 60;
  for (const name of imagesOf(denroot)) {
    utimesSync(join(imagesDirectory(denroot), name), seconds, seconds);
  }
}

/** Many images between real registries, and across a gap; runs that are killed at any moment. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import { type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { PodmanUser } from "../helpers/podman_user.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file } from "../helpers/tar_fixture.ts";

const work = scratchDirectory("sync");
const TAGS = ["3.18", "3.19", "3.20", "edge"];
/** Large enough that a sync takes longer than a process needs to start. */
const LAYER_BYTES = 4 * 2 ** 20;
const ROUNDS = 4;
let near: Registry;
let far: Registry;
let podman: PodmanUser;
const digests: Record<string, string> = {};

before(async () => {
  podman = new PodmanUser(work, "root");
  [near, far] = await Promise.all([startRegistry({}), startRegistry({})]);
  const base = [directory("etc"), file("etc/base", "base".repeat(1000))];
  for (const tag of TAGS) add("team/app", tag, [base, [file("etc/version", tag)]]);
  const large = [file("large", randomBytes(LAYER_BYTES))];
  add("team/large", "v1", [large, [file("other", randomBytes(LAYER_BYTES))]]);
  const image = writeImage(work, { layers: [base], listed: false });
  const index = writeIndex(work, [{ blob: image.manifest, platform: image.platform }]);
  near.add(image, "team/index", "parts");
  near.addManifest(index, "team/index", "all");
  digests["team/index:all"] = index.digest;
});

after(async () => {
  await Promise.all([near.stop(), far.stop(), podman.stop()]);
});

function add(repository: string, tag: string, layers: Parameters<typeof writeImage>[1]["layers"]) {
  const image: Image = writeImage(work, { layers, listed: false });
  near.add(image, repository, tag);
  digests[`${repository}:${tag}`] = image.manifest.digest;
}

/** The digest of a tag in a registry; undefined when there is none. */
async function digestAt(registry: Registry, name: string): Promise<string | undefined> {
  const [repository, tag] = name.split(":");
  const headers = {
    accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
  };
  const response = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
    headers,
  });
  await response.body?.cancel();
  return response.status === 200 ? response.headers.get("docker-content-digest")! : undefined;
}

function result(
  stdout: string,
): { images: { destination: string; fate: string }[]; removed: string[] } {
  return JSON.parse(stdout);
}

function fates(stdout: string): Record<string, string> {
  return Object.fromEntries(
    result(stdout).images.map(({ destination, fate }) => [destination.replace(/^.*\//, ""), fate]),
  );
}

testEachRuntime(
  "a list with patterns reaches a registry, and again costs one request a side",
  async (denroot) => {
    const prefix = `mirror-${denroot.runtime.name.replace(/\W+/g, "-").toLowerCase()}`;
    const list = join(denroot.work, "list.yaml");
    writeFileSync(
      list,
      `${near.host}:\n  images: {team/index: [all]}\n  images-by-semver: {team/app: ">=3.19"}\n`,
    );
    const args = ["sync", "--json", list, `docker://${near.host}/team/large:v*`];
    const to = `docker://${far.host}/${prefix}`;
    const first = await denroot.succeed([...args, to]);
    assert.deepEqual(fates(first.stdout), {
      "app:3.19": "copied",
      "app:3.20": "copied",
      "index:all": "copied",
      "large:v1": "copied",
    });
    for (const name of ["team/app:3.19", "team/index:all", "team/large:v1"]) {
      assert.equal(await digestAt(far, `${prefix}/${name}`), digests[name]);
    }
    const before = [near, far].map((registry) => registry.log().length);
    const again = await denroot.succeed([...args, to]);
    assert.ok(result(again.stdout).images.every(({ fate }) => fate === "present"));
    await fetch(`http://${near.host}/v2/the-end`);
    await fetch(`http://${far.host}/v2/the-end`);
    await Promise.all([near, far].map((one, side) => one.hasLogged("/v2/the-end", before[side])));
    const requests = [near, far].map((registry, side) =>
      registry.log().slice(before[side]).split("\n")
        .filter((line) => /\/(manifests|blobs)\/.* "denroot"$/.test(line))
    );
    assert.deepEqual(requests.map(({ length }) => length), [4, 4], requests.flat().join("\n"));
    assert.ok(requests.flat().every((line) => line.includes('"HEAD ')));
  },
);

testOneRuntime("one image that fails does not stop the others, when asked so", async (denroot) => {
  const images = ["3.18", "none", "3.20"].map((tag) => `docker://${near.host}/team/app:${tag}`);
  const to = `docker://${far.host}/failing`;
  const kept = await denroot.run(["sync", "--keep-going", "--json", ...images, to]);
  assert.equal(kept.exitCode, 1);
  assert.deepEqual(fates(kept.stdout), {
    "app:3.18": "copied",
    "app:none": "failed",
    "app:3.20": "copied",
  });
  assert.match(kept.stderr, /2 copied .*1 failed/);
  assert.match(kept.stderr, /\[ERROR\] An image failed: The source .*none/);
});

testOneRuntime(
  "pruning removes what the list names no more, and nothing on a first run",
  async (denroot) => {
    const to = `docker://${far.host}/pruned`;
    const all = `docker://${near.host}/team/app:*`;
    const some = `docker://${near.host}/team/app:3.*`;
    const first = await denroot.succeed(["sync", "--json", "--prune", "--yes", all, to]);
    assert.deepEqual(result(first.stdout).removed, []);
    assert.match(first.stderr, /this is the first run/);
    const asked = await denroot.succeed(["sync", "--json", "--prune", some, to]);
    assert.deepEqual(result(asked.stdout).removed, []);
    assert.match(asked.stderr, /app:edge is not in the list\n.*nobody can be asked/);
    const pruned = await denroot.succeed(["sync", "--json", "--prune", "--yes", some, to]);
    assert.deepEqual(result(pruned.stdout).removed, [`docker://${far.host}#pruned/team/app:edge`]);
    assert.equal(await digestAt(far, "pruned/team/app:edge"), undefined);
    for (const tag of ["3.18", "3.19", "3.20"]) {
      assert.equal(await digestAt(far, `pruned/team/app:${tag}`), digests[`team/app:${tag}`]);
    }
  },
);

testOneRuntime(
  "pruning leaves an image that a listed index has for a platform",
  async (denroot) => {
    const to = `docker://${far.host}/kept`;
    const all = `docker://${near.host}/team/index:*`;
    await denroot.succeed(["sync", all, to]);
    const args = ["sync", "--json", "--prune", "--yes", `docker://${near.host}/team/index:all`, to];
    const pruned = await denroot.succeed(args);
    assert.deepEqual(result(pruned.stdout).removed, []);
    assert.match(pruned.stderr, /kept\/team\/index:parts stays: .* has it for a platform/);
    await denroot.succeed(["verify", `${to}/team/index:all`]);
  },
);

testOneRuntime("skopeo, podman and denroot read an archive for a gap", async (denroot) => {
  const at = (name: string) => join(denroot.work, name);
  const full = `${near.host}/team/app:3.20`;
  await denroot.succeed([
    "sync",
    `docker://${near.host}/team/app:3.*`,
    `oci-archive:${at("a.tar")}`,
  ]);
  const raw = await runProgram("skopeo", [
    "inspect",
    "--raw",
    `oci-archive:${at("a.tar")}:${full}`,
  ]);
  assert.equal(JSON.parse(raw.stdout).layers.length, 2);
  await denroot.import(`oci-archive:${at("a.tar")}:${full}`);
  await denroot.import(`oci-archive:${at("a.tar")}:3.19`);
  const loaded = await podman.run("podman", ["load", "--quiet", "--input", at("a.tar")]);
  assert.equal(loaded.stdout.match(/^Loaded image: /gm)?.length, 3);
  await denroot.succeed(["sync", `docker://${full}`, `oci-archive:${at("one.tar")}`]);
  await podman.run("podman", ["load", "--quiet", "--input", at("one.tar")]);
  await denroot.succeed([
    "sync",
    "--split",
    "1M",
    `docker://${near.host}/team/large`.concat(":v1"),
    `oci-archive:${at("parts.tar")}`,
  ]);
  execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: denroot.work });
  await denroot.import(`oci-archive:${at("parts.tar")}:${near.host}/team/large:v1`);
});

testOneRuntime(
  "an increment takes layers that another repository of the other side has",
  async (denroot) => {
    const at = (name: string) => join(denroot.work, name);
    const to = `docker://${far.host}/gap`;
    const app = `docker://${near.host}/team/app:3.18`;
    const sharing = `docker://${near.host}/team/index:parts`;
    await denroot.succeed(["sync", app, `oci-archive:${at("a.tar")}`]);
    await denroot.succeed([
      "sync",
      app,
      sharing,
      `oci-archive:${at("b.tar")}`,
      "--since",
      at("a.tar"),
    ]);
    const early = await denroot.run(["sync", `oci-archive:${at("b.tar")}`, to]);
    assert.equal(early.exitCode, 1);
    assert.match(
      early.stderr,
      /needs a blob that is neither in it nor at the destination: sha256:/,
    );
    await denroot.succeed(["sync", `oci-archive:${at("a.tar")}`, to]);
    await denroot.succeed(["sync", `oci-archive:${at("b.tar")}`, to]);
    assert.ok(await digestAt(far, "gap/team/index:parts"));
    // What the other side lists tells the same, though it names manifests only.
    const list = await denroot.succeed(["manifests", "--json", `${to}/team/app`]);
    writeFileSync(at("have.json"), list.stdout);
    await denroot.succeed([
      "sync",
      app,
      sharing,
      `oci-archive:${at("c.tar")}`,
      "--have",
      at("have.json"),
    ]);
    const inventory = execFileSync("tar", ["-xOf", at("c.tar"), "denroot-inventory.json"]);
    const { needs } = JSON.parse(inventory.toString());
    assert.ok(needs.some((need: { in: string[] }) => need.in[0] === `${near.host}/team/app`));
    await denroot.succeed(["sync", `oci-archive:${at("c.tar")}`, `${to}`]);
  },
);

testOneRuntime("an archive goes down a pipe into another registry", async (denroot) => {
  const [command] = denroot.runtime.command;
  const script = `"$0" sync "docker://${near.host}/team/" oci-archive:/dev/stdout | ` +
    `"$0" sync oci-archive:/dev/stdin docker://${far.host}/piped`;
  const env = denroot.environment() as Record<string, string>;
  await runProgram("bash", ["-o", "pipefail", "-c", script, command], { env, cwd: denroot.work });
  for (const [name, digest] of Object.entries(digests)) {
    assert.equal(await digestAt(far, `piped/${name}`), digest);
  }
});

/** Kills the command at different moments of its work, then lets it end. */
async function killedThenWhole(
  denroot: Denroot,
  args: readonly string[],
  check: (round: number) => void | Promise<void>,
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const program = denroot.start(args);
    await Promise.race([sleep(40 + 60 * round), program.done]);
    program.child.kill("SIGKILL");
    await program.done;
    await check(round);
  }
  await denroot.succeed(args);
}

testOneRuntime("a sync that is killed leaves no wrong tag, and goes on", async (denroot) => {
  const to = `docker://${far.host}/killed`;
  await killedThenWhole(denroot, ["sync", `docker://${near.host}/team/`, to], async () => {
    for (const [name, digest] of Object.entries(digests)) {
      const found = await digestAt(far, `killed/${name}`);
      assert.ok(found === undefined || found === digest, `${name} is ${found}`);
    }
  });
  for (const [name, digest] of Object.entries(digests)) {
    assert.equal(await digestAt(far, `killed/${name}`), digest);
  }
});

testOneRuntime(
  "an archive whose writing and reading are killed comes over whole",
  async (denroot) => {
    const archive = join(denroot.work, "a.tar");
    for (const split of [[], ["--split", "2M"]]) {
      const write = ["sync", ...split, `docker://${near.host}/team/`, `oci-archive:${archive}`];
      await killedThenWhole(denroot, write, () => {
        const names = readdirSync(denroot.work).filter((name) => !name.startsWith(".denroot-"));
        if (names.length === 0) return;
        // It had just ended: begin anew.
        for (const name of names) rmSync(join(denroot.work, name));
      });
      const left = readdirSync(denroot.work).filter((name) => name.startsWith("."));
      assert.deepEqual(left, []);
      const prefix = `carried-${split.length}`;
      const read = ["sync", `oci-archive:${archive}`, `docker://${far.host}/${prefix}`];
      await killedThenWhole(denroot, read, () => {});
      for (const [name, digest] of Object.entries(digests)) {
        assert.equal(await digestAt(far, `${prefix}/${name}`), digest);
      }
      assert.equal(existsSync(archive), split.length === 0);
      rmSync(archive, { force: true });
    }
    assert.match(readFileSync(join(denroot.work, "SHA256SUMS"), "utf8"), /a\.tar\.001/);
  },
);

/** verify, manifests and delete against a real registry, whose storage the tests spoil. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { type Blob, type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { type Registry, startRegistry, storedBlobPath } from "../helpers/registry_server.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { openTerminal } from "../helpers/terminal.ts";

const work = scratchDirectory("tools");
const layout = join(work, "layout");
const denroot = useDenroot();
let images: readonly Image[];
let index: Blob;
let near: Registry;
let far: Registry;

before(async () => {
  images = ["amd64", "arm64"].map((architecture) =>
    writeImage(layout, {
      layers: [[file("shared", "by both")], [file("own", architecture.repeat(500))]],
      platform: { os: "linux", architecture },
      listed: false,
    })
  );
  const entries = images.map(({ manifest, platform }) => ({ blob: manifest, platform }));
  index = writeIndex(layout, entries, { tag: "all" });
  [near, far] = await Promise.all([startRegistry(), startRegistry({ keepsAll: true })]);
});
after(() => Promise.all([near.stop(), far.stop()]));

testOneRuntime("a good copy is the same image, and skopeo's copy is too", async (denroot) => {
  const [from, to] = [`docker://${near.host}/good/app:v1`, `docker://${far.host}/good/app:v1`];
  await denroot.succeed(["copy", `oci:${layout}:all`, from]);
  const insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  await runProgram("skopeo", ["--insecure-policy", "copy", "--all", ...insecure, from, to]);
  for (const deep of [[], ["--deep"]]) {
    const { stderr, stdout } = await denroot.succeed(["verify", ...deep, from, to]);
    assert.match(stderr, /are the same image, sha256:\w+: 3 documents and 5 blobs/);
    assert.equal(stdout, "");
  }
  const { stdout } = await denroot.succeed(["verify", "--json", from, to]);
  const { digest, problems, documents } = JSON.parse(stdout);
  assert.deepEqual([digest, problems, documents], [index.digest, [], 3]);
});

testOneRuntime("a registry that has lost or spoiled bytes is found out", async (denroot) => {
  const name = `bad/${denroot.runtime.name}`.toLowerCase().replaceAll(/[^a-z0-9/]/g, "-");
  const [from, to] = [`docker://${near.host}/${name}:v1`, `docker://${far.host}/${name}:v1`];
  await denroot.succeed(["copy", `oci:${layout}:all`, from]);
  await denroot.succeed(["copy", from, to]);
  const layers = images.map(({ manifest }) => JSON.parse(manifest.bytes.toString()).layers[1]);
  const repository = join(far.storage, "docker/registry/v2/repositories", name);
  const link = join(repository, "_layers/sha256", layers[0].digest.slice(7));
  assert.ok(existsSync(link));
  rmSync(link, { recursive: true });
  const spoiled = storedBlobPath(far.storage, layers[1].digest);
  const original = readFileSync(spoiled);
  writeFileSync(spoiled, original.map((byte, index) => index === 30 ? byte ^ 1 : byte));
  try {
    const quick = await denroot.run(["verify", from, to]);
    assert.equal(quick.exitCode, 1);
    assert.match(quick.stdout, new RegExp(`^missing .* has no blob ${layers[0].digest} .*\n$`));
    assert.match(quick.stderr, /There is 1 problem .*\n.*--force/);
    const deep = await denroot.run(["verify", "--deep", "--json", from, to]);
    assert.equal(deep.exitCode, 1);
    const found = JSON.parse(deep.stdout).problems.map(
      ({ side, kind, digest }: Record<string, string>) => `${side} ${kind} ${digest}`,
    );
    assert.deepEqual(
      new Set(found),
      new Set([
        `destination missing ${layers[0].digest}`,
        `destination different ${layers[1].digest}`,
      ]),
    );
    assert.deepEqual(denroot.unfinishedBlobs(), []);
  } finally {
    writeFileSync(spoiled, original);
  }
  await denroot.succeed(["copy", "--force", from, to]);
  await denroot.succeed(["verify", "--deep", from, to]);
});

test("manifests of a repository are an inventory", async () => {
  const uri = `docker://${near.host}/list/app`;
  await denroot.succeed(["copy", `oci:${layout}:all`, `${uri}:v1`, "--tag", "v2"]);
  const { stdout } = await denroot.succeed(["manifests", uri]);
  const short = (digest: string) => digest.slice(7, 19);
  const lines = stdout.trimEnd().split("\n").map((line) =>
    line.replace(/ +[\d.]+ (Ki)?B /, " SIZE ").replaceAll(/ {2,}/g, " ")
  );
  assert.deepEqual(lines, [
    `${short(index.digest)} SIZE - index v1, v2`,
    ...images.map(({ manifest, platform }) =>
      ` ${short(manifest.digest)} SIZE 2024-01-02 linux/${platform.architecture}`
    ),
  ]);
  const json = JSON.parse((await denroot.succeed(["manifests", "--json", uri])).stdout);
  assert.deepEqual(json.map(({ digest }: { digest: string }) => digest), [
    index.digest,
    ...images.map(({ manifest }) => manifest.digest),
  ]);
  assert.deepEqual(Object.keys(json[1]), [
    ...["architecture", "configMediaType", "createdTime", "digest", "imageSize", "mediaType"],
    ...["os", "tags"],
  ]);
});

test("a tag that cannot go alone, and a manifest that goes after a yes", async () => {
  const uri = `docker://${near.host}/gone/app`;
  await denroot.succeed(["copy", `oci:${layout}:all`, `${uri}:v1`, "--tag", "v2"]);
  const tag = await denroot.run(["delete", "--yes", `${uri}:v1`]);
  assert.equal(tag.exitCode, 1);
  assert.match(tag.stderr, /deletes no tags alone: .*\n.*@sha256:\w+ .*the tags v1, v2 are lost/);
  const whole = `${uri}@${index.digest}`;
  const unasked = await denroot.run(["delete", whole]);
  assert.equal(unasked.exitCode, 2);
  assert.match(unasked.stderr, /no terminal\n.*--yes/);
  const command = [...denroot.runtime.command, "delete", whole].map((word) => `'${word}'`).join(
    " ",
  );
  for (
    const [answer, result] of [["n", /Nothing was deleted/], ["y", /Deleted docker:/]] as const
  ) {
    const terminal = openTerminal(command, {
      cwd: denroot.work,
      env: denroot.environment() as Record<string, string>,
    });
    assert.match(await terminal.expect(/\[y\/N\] $/), /With the manifest go its tags: v1, v2/);
    terminal.type(`${answer}\r`);
    await terminal.expect(result);
    await terminal.close();
  }
  assert.equal((await denroot.run(["digest", `${uri}:v2`])).exitCode, 1);
});

test("a registry that forbids to delete says so", async () => {
  const uri = `docker://${far.host}/kept/app`;
  await denroot.succeed(["copy", `oci:${layout}:all`, `${uri}:v1`]);
  const { exitCode, stderr } = await denroot.run(["delete", "--yes", `${uri}@${index.digest}`]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /cannot be deleted: the server answered 405 .*\n.*administrator can allow/);
  await denroot.succeed(["verify", `${uri}:v1`]);
  assert.deepEqual(readdirSync(denroot.work), []);
});

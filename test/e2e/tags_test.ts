/** `tags` lists the tags, and with `--long` the image that each tag names. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { describeTags, listTags, loadSettings, parseReference } from "../../mod.ts";
import { testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";

const scratch = scratchDirectory("tags");
const layout = join(scratch, "layout");
const image = makeImage("1.0");
const newer = makeImage("1.10");
let registry: Registry;

before(async () => {
  registry = await startRegistry();
  for (const tag of ["1.0", "1.2", "latest", "1.10-slim"]) registry.add(image, "team/app", tag);
  registry.add(newer, "team/app", "1.10");
});
after(() => registry.stop());

testOneRuntime("tags are sorted as versions", async (denroot) => {
  const sorted = ["1.0", "1.2", "1.10", "1.10-slim", "latest"];
  for (const uri of [registry.uri("team/app"), `docker://${registry.host}/team/app`]) {
    const { stdout } = await denroot.succeed(["tags", uri]);
    assert.equal(stdout, sorted.map((tag) => `${tag}\n`).join(""));
  }
  const args = ["list-tags", "--tls-verify=false", `docker://${registry.host}/team/app`];
  const theirs = JSON.parse((await runProgram("skopeo", args)).stdout);
  const ours = await denroot.succeed(["tags", "--json", registry.uri("team/app")]);
  const { Repository, Tags } = JSON.parse(ours.stdout);
  assert.deepEqual([Repository, Tags], [theirs.Repository, sorted]);
  assert.deepEqual(Tags.toSorted(), theirs.Tags.toSorted());
});

testOneRuntime("--long shows each tag's image and how much is to be fetched", async (denroot) => {
  await denroot.import(registry.uri("team/app", "1.0"));
  const { stdout } = await denroot.succeed(["tags", "--long", registry.uri("team/app")]);
  const size = String.raw` +\d+ B  `;
  const written = String.raw` +\d+ B image  2024-01-02`;
  const old = `${shown(image)}${size}here {13}${written}`;
  assert.match(
    stdout,
    new RegExp(
      `^1\\.0        ${old}\n1\\.2        ${old}\n` +
        `1\\.10       ${shown(newer)}${size} +\\d+ B to fetch${written}\n` +
        `1\\.10-slim  ${old}\nlatest     ${old}\n$`,
    ),
  );
});

testOneRuntime("a registry alone lists its repositories", async (denroot) => {
  const { stdout } = await denroot.succeed(["tags", `docker://${registry.host}`]);
  assert.match(stdout, /^(?:[a-z]+\n)*team\/app\n/);
  const json = await denroot.succeed(["tags", "--json", `docker://${registry.host}/`]);
  const { Registry, Repositories } = JSON.parse(json.stdout);
  assert.deepEqual([Registry, Repositories], [registry.host, stdout.trimEnd().split("\n")]);
  const long = await denroot.run(["tags", "--long", `docker://${registry.host}`]);
  assert.equal(long.exitCode, 2);
  assert.match(long.stderr, /--long needs a repository/);
});

const denroot = useDenroot();

test("--long --json shows the same in full", async () => {
  const uri = registry.uri("team/app");
  const { Images } = JSON.parse((await denroot.succeed(["tags", "-l", "--json", uri])).stdout);
  const inspected = await denroot.succeed(["inspect", "--json", registry.uri("team/app", "1.10")]);
  const { EstimatedImageBytes } = JSON.parse(inspected.stdout);
  assert.deepEqual(Images[2], {
    Tag: "1.10",
    ManifestDigest: newer.manifest.digest,
    StoredBytes: storedBytes(newer),
    DownloadBytes: storedBytes(newer),
    EstimatedImageBytes,
    Created: "2024-01-02T03:04:05Z",
  });
});

test("a tag that fails says why, and the others are shown", async () => {
  const foreign = writeImage(layout, {
    layers: [[file("a", "foreign")]],
    platform: { os: "windows", architecture: "amd64" },
    listed: false,
  });
  registry.add(image, "mixed", "good");
  registry.add(foreign, "mixed", "alone");
  const index = writeIndex(layout, [{ blob: foreign.manifest, platform: foreign.platform }], {
    listed: false,
  });
  registry.addManifest(index, "mixed", "bad");
  const { stdout, stderr } = await denroot.succeed(["tags", "--long", registry.uri("mixed")]);
  assert.match(stdout, /^bad +There is no image for linux\/\w+, only for windows\/amd64$/m);
  assert.match(stdout, new RegExp(`^good +${shown(image)} .*2024-01-02$`, "m"));
  assert.match(stdout, /^alone .* 2024-01-02 {2}windows\/amd64$/m);
  assert.equal(stdout.split("\n").length, 4);
  assert.equal(stderr, "");
  const { Images } = JSON.parse(
    (await denroot.succeed(["tags", "--long", "--json", registry.uri("mixed")])).stdout,
  );
  assert.match(Images[1].Error, /^There is no image for linux/);
});

test("the listing ends when the registry goes away or the caller stops", async () => {
  const going = await startRegistry();
  const tags = Array.from({ length: 20 }, (_, index) => `v${index}`);
  for (const tag of tags) going.add(image, "going", tag);
  const settings = await loadSettings({
    ...denroot.environment(),
    ENROOT_TRANSFER_RETRIES: "0",
  });
  const list = await listTags(going.uri("going"), { settings });
  assert.equal(list.tags.length, 20);
  const seen: string[] = [];
  for await (const { tag } of describeTags(list, { settings })) {
    seen.push(tag);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, list.tags.slice(0, 3));
  const stop = AbortSignal.abort();
  await assert.rejects(describeTags(list, { settings, signal: stop }).next(), { code: "aborted" });
  await going.stop();
  await assert.rejects(describeTags(list, { settings }).next(), { code: "network" });
});

test("more than 1000 tags are refused", async () => {
  const tags = Array.from({ length: 1001 }, (_, index) => `v${index}`);
  const list = { reference: parseReference(registry.uri("team/app")), tags };
  await assert.rejects(describeTags(list).next(), { code: "limit" });
});

test("layouts and archives list their tags, by URI and by path", async () => {
  const archive = join(scratch, "images.tar");
  const saved = join(scratch, "saved.tar");
  await runProgram("tar", ["-C", layout, "-cf", archive, "."]);
  const copy = ["copy", "-q", `oci:${layout}:1.0`, `docker-archive:${saved}:example.org/app:1.0`];
  await runProgram("skopeo", [...copy, "--additional-tag=example.org/app:other"]);
  const versions = ["1.0", "1.10"];
  const names = ["example.org/app:1.0", "example.org/app:other"];
  for (
    const [uri, tags] of [
      [`oci:${layout}`, versions],
      [`oci-archive:${archive}`, versions],
      [archive, versions],
      [layout, versions],
      [`docker-archive:${saved}`, names],
      [saved, names],
    ] as const
  ) {
    const { stdout } = await denroot.succeed(["tags", uri]);
    assert.deepEqual(stdout.trimEnd().split("\n"), tags, uri);
    const long = (await denroot.succeed(["tags", "--long", uri])).stdout.trimEnd().split("\n");
    assert.deepEqual(long.map((line) => line.split(/ +/)[0]), tags, uri);
    for (const line of long) {
      assert.match(line, / {2}[0-9a-f]{12} +\d.* here +[\d.]+ K?i?B image {2}2024-01-02$/, uri);
    }
  }
  const directory = join(scratch, "dir");
  await runProgram("skopeo", ["copy", "-q", `oci:${layout}:1.0`, `dir:${directory}`]);
  const none = await denroot.run(["tags", `dir:${directory}`]);
  assert.equal(none.exitCode, 1);
  assert.match(none.stderr, /Images of the scheme "dir:" have no tags/);
});

function makeImage(tag: string): Image {
  return writeImage(layout, { layers: [[file("version", tag)]], tag });
}

function shown({ manifest }: Image): string {
  return manifest.digest.slice("sha256:".length).slice(0, 12);
}

function storedBytes({ layers, config }: Image): number {
  return [...layers, config].reduce((sum, { size }) => sum + size, 0);
}

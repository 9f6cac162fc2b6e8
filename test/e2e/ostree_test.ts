/** `ostree:`: images, and root file systems, in a real ostree repository. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { commitImage, ostree as runOstree } from "../helpers/ostree_repository.ts";
import { runProgram } from "../helpers/run_program.ts";
import { richImage, StorageFixture } from "../helpers/storage_fixture.ts";
import type { TarSpec } from "../helpers/tar_fixture.ts";
import { compareTrees, listDirectory, listImage } from "../helpers/tree_listing.ts";

// ostree takes only names in UTF-8, and its manifests know no zstd.
const fixture = new StorageFixture({
  ...richImage,
  layers: richImage.layers.map((layer) => {
    const members = ("tar" in layer ? layer.tar : layer) as readonly TarSpec[];
    return members.filter(({ path }) => typeof path === "string");
  }),
});
const repository = fixture.root("repository");
const uri = `ostree:team/rich:1@${repository}`;
const without = [".enroot", "etc/rc"];
let manifest: string;

before(async () => {
  await ostree("init", "--mode=archive");
  manifest = await commitImage(fixture, repository, "team_2Frich_3A1");
});

testOneRuntime(
  "an image in ostree gives the same enroot image as the original",
  async (denroot) => {
    const expected = await listImage(await denroot.import(fixture.layout));
    const output = await denroot.import(uri, { args: ["--verify"] });
    const comparison = { without, directoryTimes: true };
    assert.deepEqual(compareTrees(await listImage(output), expected, comparison), []);
    const again = await denroot.import(uri);
    assert.ok(readFileSync(again).equals(readFileSync(output)));
    assert.deepEqual(denroot.unfinishedBlobs(), []);
  },
);

const denroot = useDenroot();

test("the digest is that of the manifest that ostree keeps", async () => {
  const path = join(fixture.directory, "manifest.json");
  writeFileSync(path, manifest);
  const shown = await runProgram("skopeo", ["manifest-digest", path]);
  const { stdout } = await denroot.succeed(["digest", uri]);
  assert.equal(stdout.trim(), shown.stdout.trim());
});

test("a commit of a root file system becomes an image of one layer", async () => {
  const tree = fixture.root("tree");
  mkdirSync(join(tree, "usr/bin"), { recursive: true });
  writeFileSync(join(tree, "usr/bin/tool"), "a tool", { mode: 0o755 });
  await runProgram("ln", ["-s", "usr/bin", join(tree, "bin")]);
  await ostree("commit", "--branch=exampleos/x86_64/standard", "--owner-uid=0", tree);
  const output = await denroot.import(`ostree:exampleos/x86_64/standard@${repository}`);
  const actual = await listImage(output);
  const own = ["etc", ...without];
  // ostree keeps no times.
  const comparison = { without: own, ignore: ["mtime"] as const };
  assert.deepEqual(compareTrees(actual, await listDirectory(tree), comparison), []);
});

test("an error about a missing image lists the images that are there", async () => {
  const missing = await denroot.run(["digest", `ostree:other@${repository}`]);
  assert.match(missing.stderr, /has no image "other:latest"; it has team\/rich:1/);
  const nowhere = await denroot.run(["digest", `ostree:other@${denroot.home}`]);
  assert.match(nowhere.stderr, /\[ERROR\] The ostree repository .* cannot be read: /);
  const noProgram = await denroot.run(["digest", uri], {
    env: { PATH: "/nowhere", DENROOT_MKSQUASHFS: "/usr/bin/mksquashfs" },
  });
  assert.match(noProgram.stderr, /The program "ostree" is not installed/);
});

test("a layer whose files do not fit its recipe is refused", async () => {
  const layers = JSON.parse(manifest).layers as { digest: string }[];
  const ref = `ociimage/${layers[0]!.digest.slice("sha256:".length)}`;
  const broken = fixture.root("broken");
  await runProgram("cp", ["-a", repository, broken]);
  const other = fixture.root("other");
  await ostree("checkout", "--user-mode", ref, other);
  writeFileSync(join(other, "bin/ping"), "changed");
  const text = async (key: string) =>
    JSON.parse((await ostree("show", `--print-metadata-key=${key}`, ref)).replaceAll("'", '"'));
  const keys = ["tarsplit.output", "docker.uncompressed_digest", "docker.uncompressed_size"];
  const metadata = await Promise.all(
    keys.map(async (key) => `--add-metadata-string=${key}=${await text(key)}`),
  );
  await runProgram("ostree", [`--repo=${broken}`, "commit", `--branch=${ref}`, ...metadata, other]);
  const result = await denroot.run(["import", `ostree:team/rich:1@${broken}`], {
    env: { ENROOT_CACHE_PATH: join(denroot.home, "fresh") },
  });
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /Layer 1\/3 .*(in ostree are longer|instead of|have the digest)/);
  assert.deepEqual(
    denroot.leftovers().filter((path) => path.startsWith(`${denroot.work}/team`)),
    [],
  );
});

function ostree(command: string, ...args: readonly string[]): Promise<string> {
  return runOstree(repository, command, ...args);
}

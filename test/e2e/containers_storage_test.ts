/** podman's storage, read from its files: it gives the same image as the original. */

import assert from "node:assert/strict";
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testEachRuntime, testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { directory, file } from "../helpers/tar_fixture.ts";
import { runProgram } from "../helpers/run_program.ts";
import { type Driver, StorageFixture } from "../helpers/storage_fixture.ts";
import { compareTrees, listImage } from "../helpers/tree_listing.ts";

const drivers: readonly Driver[] = ["overlay", "vfs"];
const fixture = new StorageFixture();
const name = "registry.example/team/rich:1";
/** Files that record the image's source. */
const source = [".enroot", "etc/rc"];

testOneRuntime("overlay and vfs storages give the image that they were given", async (denroot) => {
  const expected = await listImage(await denroot.import(fixture.layout));
  for (const driver of drivers) {
    const place = await fixture.store(driver, driver, name);
    const before = snapshot(fixture.root(driver));
    const image = await denroot.import(`${place}${name}`, { args: ["--verify"] });
    const differences = compareTrees(await listImage(image), expected, {
      without: source,
      directoryTimes: true,
    });
    assert.deepEqual(differences, [], driver);
    assert.deepEqual(snapshot(fixture.root(driver)), before, "the storage was written to");
  }
});

testEachRuntime("without recipes the storage's files themselves are taken", async (denroot) => {
  const expected = await listImage(await denroot.import(fixture.layout));
  for (const driver of drivers) {
    const storage = `bare-${driver}`;
    const place = await fixture.store(storage, driver, name);
    fixture.forgetRecipes(storage);
    const output = join(denroot.work, `${driver}.sqsh`);
    const { stderr } = await denroot.succeed(["import", "--output", output, `${place}${name}`]);
    assert.match(stderr, /no tar-split recipe for layer sha256:/);
    const differences = compareTrees(await listImage(output), expected, {
      without: source,
    });
    assert.deepEqual(differences, [], driver);
    const again = await denroot.import(`${place}${name}`);
    assert.ok(readFileSync(again).equals(readFileSync(output)), "twice the same");
  }
});

const denroot = useDenroot();

test("the digest is the one that skopeo shows", async () => {
  const place = await fixture.store("vfs", "vfs", name);
  const shown = await runProgram("skopeo", ["inspect", "--format={{.Digest}}", `${place}${name}`]);
  const { stdout } = await denroot.succeed(["digest", `${place}${name}`]);
  assert.equal(stdout, shown.stdout);
});

test("an image has many names: short ones, digests, IDs", async () => {
  const place = await fixture.store("names", "vfs", name);
  await fixture.store("names", "vfs", "localhost/own:2");
  await fixture.store("names", "vfs", "docker.io/library/hub");
  const { manifest, config } = fixture.image;
  const id = config.digest.slice("sha256:".length);
  const names = [name, "rich:1", "team/rich:1", "own:2", "hub", "docker.io/library/hub:latest"];
  const digests = [`registry.example/team/rich@${manifest.digest}`, `hub@${manifest.digest}`];
  for (const one of [...names, ...digests, `@${id}`, `@${id.slice(0, 8)}`, id.slice(0, 12)]) {
    const { stdout } = await denroot.succeed(["digest", `${place}${one}`]);
    assert.equal(stdout, `${manifest.digest}\n`, one);
  }
  const missing = await denroot.run(["digest", `${place}rich:2`]);
  assert.match(missing.stderr, /has no image "rich:2"; it has .*registry\.example\/team\/rich:1/);
  const foreign = await denroot.run(["digest", `${place}other/rich@${manifest.digest}`]);
  assert.match(foreign.stderr, /has no image/);
});

test("storage.conf, the environment and additional image stores say where images are", async () => {
  await fixture.store("conf", "vfs", name);
  const conf = join(denroot.home, "storage.conf");
  const env = { CONTAINERS_STORAGE_CONF: conf };
  const uri = `containers-storage:${name}`;
  writeFileSync(conf, `[storage]\ndriver = "vfs"\ngraphroot = "${fixture.root("conf")}"\n`);
  await denroot.succeed(["digest", uri], { env });
  writeFileSync(
    conf,
    `[storage]\ndriver = "vfs"\ngraphroot = "${denroot.home}/nothing"\n` +
      `[storage.options]\nadditionalimagestores = ["${fixture.root("conf")}"]\n`,
  );
  await denroot.import(uri, { env });
  writeFileSync(conf, "[storage]\ndriver = vfs\n");
  const broken = await denroot.run(["digest", uri], { env });
  assert.match(broken.stderr, /storage\.conf" cannot be used/);
});

test("a missing or changed file in the storage ends the import and is named", async () => {
  const place = await fixture.store("broken", "vfs", name);
  const tree = join(fixture.root("broken"), "vfs/dir");
  const tools = readdirSync(tree).map((id) => join(tree, id, "bin/ping"));
  for (const tool of tools) writeFileSync(tool, "changed");
  await fails(`${place}${name}`, /"bin\/ping" has 7 bytes in the storage instead of 1/);
  for (const tool of tools) writeFileSync(tool, "q");
  await fails(`${place}${name}`, /Its content is sha256:[0-9a-f]{64} instead of sha256:/);
  for (const tool of tools) rmSync(tool);
  await fails(`${place}${name}`, /"bin\/ping" is not there/);
  for (const tool of tools) symlinkSync("/etc/hostname", tool);
  await fails(`${place}${name}`, /"bin\/ping" is not a regular file in the storage/);
  for (const id of readdirSync(tree)) {
    renameSync(join(tree, id, "bin"), join(tree, id, "elsewhere"));
    symlinkSync(`${tree}/${id}/elsewhere`, join(tree, id, "bin"));
  }
  await fails(`${place}${name}`, /"bin\/\w+" is not there/);
  rmSync(tree, { recursive: true });
  await fails(`${place}${name}`, /The files of layer [0-9a-f]{64} are not in the storage/);
});

test("a manifest list that buildah made gives the image for the platform", async () => {
  const root = fixture.root("lists");
  const options = ["--root", root, "--runroot", fixture.root("run"), "--storage-driver", "vfs"];
  const buildah = async (...args: readonly string[]) =>
    (await runProgram("buildah", [...options, ...args])).stdout.trim();
  const container = await buildah("from", "scratch");
  await buildah("manifest", "create", "localhost/list");
  const digests = new Map<string, string>();
  for (const architecture of ["amd64", "arm64"]) {
    await buildah("config", "--arch", architecture, container);
    await buildah("commit", "--quiet", container, `localhost/${architecture}`);
    await buildah("manifest", "add", "localhost/list", `localhost/${architecture}`);
    const place = `containers-storage:[vfs@${root}]`;
    const image = await denroot.succeed(["digest", `${place}localhost/${architecture}`]);
    const listed = await denroot.succeed(["digest", "-a", architecture, `${place}list`]);
    assert.equal(listed.stdout, image.stdout);
    digests.set(image.stdout, architecture);
  }
  assert.equal(digests.size, 2);
  await fails(`containers-storage:[vfs@${root}]list`, /no image for linux\/s390x/, "-a", "s390x");
});

test("a symlink in a layer leads where it would with the layer as root", async () => {
  const linked = new StorageFixture({
    layers: [[
      directory("usr"),
      directory("usr/lib"),
      { path: "lib", flag: "2", linkPath: "/usr/lib" },
      file("lib/through", "through a link"),
    ]],
  });
  const place = await linked.store("linked", "vfs", "localhost/linked");
  const output = await denroot.import(`${place}localhost/linked`);
  const expected = await listImage(await denroot.import(linked.layout));
  assert.deepEqual(compareTrees(await listImage(output), expected, { without: source }), []);
});

test("what buildah commits is what it pushes", async () => {
  const root = fixture.root("buildah");
  const options = ["--root", root, "--runroot", fixture.root("run"), "--storage-driver", "overlay"];
  const buildah = async (...args: readonly string[]) =>
    (await runProgram("buildah", [...options, ...args])).stdout.trim();
  const change = async (base: string, image: string, script: string) => {
    const container = await buildah("from", "--pull-never", base);
    const mount = await buildah("mount", container);
    await runProgram("sh", ["-ec", script], { cwd: mount });
    await buildah("umount", container);
    await buildah("commit", "--quiet", "--rm", container, image);
  };
  await change("scratch", "localhost/base", "mkdir a b; echo 1 > a/x; ln a/x a/y; echo 2 > b/z");
  await change(
    "localhost/base",
    "localhost/top",
    "rm -r b; mkdir b; echo 3 > b/new; rm a/y; setfattr -n user.note -v kept a/x",
  );
  const layout = fixture.root("pushed");
  await buildah("push", "--quiet", "localhost/top", `oci:${layout}:top`);
  const expected = await listImage(await denroot.import(`oci:${layout}:top`));
  const output = await denroot.import(`containers-storage:[overlay@${root}]top`);
  const comparison = { without: source, directoryTimes: true };
  assert.deepEqual(compareTrees(await listImage(output), expected, comparison), []);
  assert.ok(expected.has("b/new") && !expected.has("b/z") && !expected.has("a/y"));
});

test("a directory that is no storage is refused with its name", async () => {
  await fails(
    `containers-storage:[${denroot.home}]x`,
    /is not an image storage: it has no "overlay-images" or "vfs-images"/,
  );
  await fails(
    `containers-storage:[btrfs@${denroot.home}]x`,
    /driver "btrfs"; denroot reads overlay and vfs/,
  );
  await fails("containers-storage:[vfs@/nowhere]x", /"\/nowhere" is not an image storage/);
});

async function fails(uri: string, message: RegExp, ...args: readonly string[]): Promise<void> {
  const output = join(denroot.work, "fails.sqsh");
  const result = await denroot.run(["import", ...args, "--output", output, uri]);
  assert.equal(result.exitCode, 1, result.stderr);
  assert.match(result.stderr, message);
  assert.deepEqual(denroot.leftovers().filter((path) => path.startsWith(output)), []);
}

/** The names, sizes and times of all files below a directory. */
function snapshot(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = Buffer.from(join(entry.parentPath, entry.name), "utf8");
    try {
      const { size, mtimeMs, ctimeMs } = statSync(path);
      return `${path} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch {
      return `${path}`;
    }
  }).sort();
}

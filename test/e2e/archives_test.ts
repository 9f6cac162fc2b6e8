/** One image in every kind of archive and directory gives one enroot image. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  blobName,
  layoutMembers,
  newDockerArchive,
  oldDockerArchive,
  withMember,
} from "../helpers/archive_fixture.ts";
import {
  type Denroot,
  testEachRuntime,
  testOneRuntime,
  useDenroot,
} from "../helpers/denroot_command.ts";
import { type DockerDaemon, startDockerDaemon } from "../helpers/docker_daemon.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { assertSameTree } from "../helpers/layer_case.ts";
import { runProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  directory,
  file,
  link,
  opaque,
  symlink,
  tarArchive,
  whiteout,
} from "../helpers/tar_fixture.ts";
import { listImage, readFromImage, type Tree } from "../helpers/tree_listing.ts";

const EPOCH = { SOURCE_DATE_EPOCH: "1700000000" };
const PROVENANCE = [".enroot"];

const scratch = scratchDirectory("archives");
const oracle = useDenroot();
let docker: DockerDaemon;
let image: Image;
let expected: Tree;

const layers = [
  [
    directory("etc"),
    file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
    directory("usr"),
    directory("usr/d"),
    file("usr/d/old", "1"),
    file("usr/a", "a".repeat(200_000)),
    link("usr/b", "usr/a"),
    symlink("lib", "usr/lib"),
  ],
  [whiteout("usr/a"), directory("usr/d"), opaque("usr/d"), file("usr/d/new", "2")],
  [link("usr/c", "usr/b"), file("etc/motd", "hello\n")],
];

before(async () => {
  const path = join(scratch, "layout");
  image = writeImage(path, { layers, compression: "none", tag: "v1" });
  const output = await oracle.import(`oci:${path}:v1`, { env: EPOCH });
  expected = await listImage(output);
  assert.ok(expected.size > 12);
  docker = await startDockerDaemon();
});

after(() => docker?.stop());

async function skopeoCopy(from: string, to: string): Promise<void> {
  await runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", from, to]);
}

/** Writes the archive that `docker save` makes of the image. */
async function savedByDocker(path: string): Promise<void> {
  const loaded = join(scratch, "loaded.tar");
  rmSync(loaded, { force: true });
  await skopeoCopy(`oci:${image.directory}:v1`, `docker-archive:${loaded}:n/app:v1`);
  const run = (...args: string[]) =>
    runProgram("docker", ["-H", `unix://${docker.socket}`, ...args]);
  await run("load", "--input", loaded);
  await run("save", "--output", path, "n/app:v1");
}

/** Imports, compares the tree and its source, and gives the image's bytes. */
async function importBytes(denroot: Denroot, uri: string, source: string): Promise<Buffer> {
  const output = await denroot.import(uri, { env: EPOCH });
  assertSameTree(await listImage(output), expected, { without: PROVENANCE });
  assert.equal(await readFromImage(output, ".enroot/source"), `uri=${source}\n`);
  return readFileSync(output);
}

/** Forms of an archive; compressed ones pass through the cache. */
const FORMS = [(tar: Buffer) => tar, gzipSync, zstdCompressSync] as const;

const ARCHIVES: Readonly<Record<string, (path: string) => unknown>> = {
  "docker-archive of skopeo": (path) =>
    skopeoCopy(`oci:${image.directory}:v1`, `docker-archive:${path}:n/app:v1`),
  "docker-archive of Docker": savedByDocker,
  "docker-archive with links": (path) =>
    writeFileSync(path, tarArchive(oldDockerArchive([{ tags: ["n/app:v1"], image }]))),
  "oci-archive of skopeo": (path) =>
    skopeoCopy(`oci:${image.directory}:v1`, `oci-archive:${path}:v1`),
  "oci-archive of tar": (path) => runProgram("tar", ["-C", image.directory, "-cf", path, "."]),
  "oci-archive of Docker 25": (path) =>
    writeFileSync(path, tarArchive(newDockerArchive(image, ["n/app:v1"]))),
};

for (const [kind, write] of Object.entries(ARCHIVES)) {
  testOneRuntime(`${kind}: plain, compressed and by its path, the same bytes`, async (denroot) => {
    const path = join(denroot.work, "image.tar");
    await write(path);
    const tar = readFileSync(path);
    const uri = `${kind.split(" ", 1)[0]}:image.tar`;
    const bytes = await importBytes(denroot, uri, uri);
    for (const form of FORMS) {
      writeFileSync(path, form(tar));
      for (const name of [uri, "image.tar"]) {
        const again = readFileSync(await denroot.import(name, { env: EPOCH }));
        assert.ok(bytes.equals(again), name);
      }
    }
  });
}

testOneRuntime("dir: is read in place, and known by its content", async (denroot) => {
  const path = join(denroot.work, "image");
  await skopeoCopy(`oci:${image.directory}:v1`, `dir:${path}`);
  const bytes = await importBytes(denroot, "dir:image", "dir:image");
  assert.ok(bytes.equals(await importBytes(denroot, "image", "dir:image")));
  assert.ok(!existsSync(join(denroot.cache, "blobs")));
});

testOneRuntime("a plain archive puts nothing into the cache", async (denroot) => {
  writeFileSync(join(denroot.work, "image.tar"), tarArchive(layoutMembers(image.directory)));
  await importBytes(denroot, "oci-archive:image.tar:v1", "oci-archive:image.tar:v1");
  assert.ok(!existsSync(join(denroot.cache, "blobs")));
});

testEachRuntime("an archive on standard input is read as it comes", async (denroot) => {
  const source = "docker-archive:/dev/stdin";
  const tar = tarArchive(oldDockerArchive([{ tags: ["n/app:v1"], image }]));
  for (const input of FORMS.map((form) => form(tar))) {
    await denroot.succeed(["import", "--force", source], { input, env: EPOCH });
    const output = join(denroot.work, "image.sqsh");
    assertSameTree(await listImage(output), expected, { without: PROVENANCE });
  }
  const cut = await denroot.run(["import", "--force", source], { input: tar.subarray(0, 9000) });
  assert.equal(cut.exitCode, 1);
  assert.match(cut.stderr, /The archive "\/dev\/stdin" is damaged or not a tar archive/);
});

testOneRuntime("an archive in a pipe is read as it comes", async (denroot) => {
  const tar = join(scratch, "piped.tar");
  writeFileSync(tar, tarArchive(layoutMembers(image.directory)));
  await runProgram("mkfifo", [join(denroot.work, "pipe")]);
  const writer = runProgram("cp", [tar, join(denroot.work, "pipe")]);
  await importBytes(denroot, "oci-archive:pipe", "oci-archive:pipe");
  await writer;
});

testEachRuntime("an import from a pipe that brings nothing can be stopped", async (denroot) => {
  await runProgram("mkfifo", [join(denroot.work, "pipe")]);
  const program = denroot.start(["import", "oci-archive:pipe"]);
  await waitUntil("it reads", () => program.stderr().includes("Reading"));
  program.child.kill("SIGTERM");
  assert.equal((await program.done).exitCode, 143);
  assert.deepEqual(denroot.leftovers(), [join(denroot.work, "pipe")]);
});

testOneRuntime("an image of several is imported under its own name", async (denroot) => {
  const other = writeImage(join(denroot.home, "other"), { layers: [[file("x", "y")]] });
  const members = oldDockerArchive([
    { tags: ["n/app:v1"], image },
    { tags: ["n/other:v2"], image: other },
  ]);
  writeFileSync(join(denroot.work, "all.tar"), tarArchive(members));
  await denroot.succeed(["import", "docker-archive:all.tar:n/other:v2"]);
  const tree = await listImage(join(denroot.work, "n+other+v2.sqsh"));
  assert.ok(tree.has("x") && !tree.has("usr"));
});

testOneRuntime("a forged layer is named, and nothing is left", async (denroot) => {
  const name = blobName(image.layers[1]!.digest);
  const forged = withMember(newDockerArchive(image, ["n/app:v1"]), name, (member) => ({
    ...member,
    content: Buffer.from(image.layers[1]!.bytes).fill("X", 600, 700),
  }));
  for (const scheme of ["oci-archive", "docker-archive"]) {
    for (const form of FORMS) {
      writeFileSync(join(denroot.work, "image.tar"), form(tarArchive(forged)));
      const result = await denroot.run(["import", `${scheme}:image.tar`]);
      assert.equal(result.exitCode, 1);
      assert.match(result.stderr, /Layer 2\/3 .*sha256:\w+ instead of sha256:/);
      assert.deepEqual(denroot.leftovers().filter((path) => path.endsWith(".sqsh")), []);
    }
  }
});

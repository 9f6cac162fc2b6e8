/** Tests of archives of `docker save`: real ones, and imitations of other versions of Docker. */

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { DOCKER_PLAIN_LAYER } from "../../../lib/oci/media_types.ts";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";
import { parseReference } from "../../../lib/reference/parse_reference.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { DockerArchiveReference } from "../../../lib/types/reference.ts";
import { newDockerArchive, oldDockerArchive } from "../../helpers/archive_fixture.ts";
import { type ImageSpec, writeImage } from "../../helpers/image_fixture.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { directory, file, tarArchive, tarHeader } from "../../helpers/tar_fixture.ts";
import { NEVER } from "../registry/registry_fixture.ts";
import { errorOf, FORMS, HOST, makeContext, openImage, writeArchive } from "./archive_tests.ts";

const scratch = scratchDirectory("docker-archive");
const context = makeContext(scratch);
let images = 0;

const base = [directory("etc/"), file("etc/passwd", "root:x:0:0::/:/bin/sh\n")];
const top = [file("etc/motd", "hello ".repeat(50_000))];

function makeImage(changes: Partial<ImageSpec> = {}) {
  const path = join(scratch, `image${images++}`);
  mkdirSync(path);
  return writeImage(path, { layers: [base, top], compression: "none", ...changes });
}

function reference(path: string, rest: Partial<DockerArchiveReference> = {}) {
  return { scheme: "docker-archive", path, ...rest } as const;
}

/** The digest that skopeo gives for the image. */
async function skopeoDigest(uri: string): Promise<string> {
  const { stdout } = await runProgram("skopeo", ["inspect", "--format", "{{.Digest}}", uri]);
  return stdout.trim();
}

async function skopeoCopy(from: string, to: string): Promise<void> {
  await runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", from, to]);
}

describe("an archive of skopeo", () => {
  for (const compression of ["none", "gzip"] as const) {
    test(`has the same digest as in skopeo (layers: ${compression})`, async () => {
      const image = makeImage({ compression });
      const path = join(scratch, `skopeo-${compression}.tar`);
      await skopeoCopy(`oci:${image.directory}`, `docker-archive:${path}:n/app:1`);
      const opened = await openImage(reference(path), context);
      assert.equal(opened.image.digest, await skopeoDigest(`docker-archive:${path}`));
      assert.equal(opened.uri, `docker-archive:${path}`);
      assert.deepEqual(opened.config, image.config.bytes);
      const diffIds = JSON.parse(image.config.bytes.toString()).rootfs.diff_ids;
      assert.deepEqual(opened.layers.map(sha256), diffIds);
      assert.deepEqual(opened.content.layers.map(({ digest }) => digest), diffIds);
      assert.ok(opened.content.layers.every((one) => one.mediaType === DOCKER_PLAIN_LAYER));
    });
  }
});

test("podman's archive of several images: each is found by any spelling of its tag, or by its number", async () => {
  const [one, other] = [makeImage(), makeImage({ layers: [base, top, [file("third", "3")]] })];
  const saved = await savedByPodman(one.directory, other.directory);
  for (const [form, make] of FORMS) {
    const path = writeArchive(scratch, saved, make);
    const wanted = [{ image: "localhost/one:1" }, { index: 0 }, { image: "two:2" }, { index: 1 }];
    for (const [at, choice] of wanted.entries()) {
      const opened = await openImage(reference(path, choice), context);
      const image = at < 2 ? one : other;
      assert.deepEqual(opened.config, image.config.bytes, form);
      assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes), form);
    }
    const error = await errorOf(openImage(reference(path), context));
    assert.match(
      error.message,
      /holds 2 images, .* one of them: localhost\/one:1, docker\.io\/library\/two:2$/,
    );
    assert.match(error.hint!, /PATH:NAME:TAG or docker-archive:PATH:@INDEX/);
  }
});

test("an archive of Docker 24 with links for layers has the same digest as in skopeo", async () => {
  const one = makeImage();
  const other = makeImage({ layers: [base, [file("a", "1")], top, top] });
  const members = oldDockerArchive([{ tags: ["one:1"], image: one }, { tags: null, image: other }]);
  for (const [form, make] of FORMS) {
    const path = writeArchive(scratch, members, make);
    for (const [index, image] of [one, other].entries()) {
      const opened = await openImage(reference(path, { index }), context);
      assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes), form);
      if (form !== "plain") continue;
      assert.equal(opened.image.digest, await skopeoDigest(`docker-archive:${path}:@${index}`));
    }
  }
});

test("an archive of Docker 25 with blobs has the same digest as in skopeo", async () => {
  const image = makeImage();
  const path = writeArchive(scratch, newDockerArchive(image, ["n/app:1"]));
  const opened = await openImage(reference(path, { image: "n/app:1" }), context);
  assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes));
  assert.equal(opened.image.digest, await skopeoDigest(`docker-archive:${path}`));
});

for (const compression of ["gzip", "gzip-members", "zstd"] as const) {
  test(`compressed layers (${compression}) are named by their diffIDs`, async () => {
    const image = makeImage({ compression });
    const path = writeArchive(scratch, newDockerArchive(image, ["n/app:1"]));
    const opened = await openImage(reference(path), context);
    const diffIds = JSON.parse(image.config.bytes.toString()).rootfs.diff_ids;
    assert.deepEqual(opened.content.layers.map(({ digest }) => digest), diffIds);
    assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes));
    assert.equal(opened.image.digest, await skopeoDigest(`docker-archive:${path}`));
  });
}

/** [the text behind the path, whether it names the image "docker.io/n/app:latest"] */
const SPELLINGS: readonly (readonly [string, boolean])[] = [
  ["", true],
  [":n/app", true],
  [":n/app:latest", true],
  [":docker.io/n/app", true],
  [":index.docker.io/n/app:latest", true],
  [":app", false],
  [":n/app:1", false],
  [":quay.io/n/app", false],
  [":@0", true],
  [":@1", false],
];

test("an image is found by any spelling of its name, and by no other name", async () => {
  const image = makeImage();
  const path = writeArchive(scratch, oldDockerArchive([{ tags: ["n/app:latest"], image }]));
  for (const [spelling, isMeant] of SPELLINGS) {
    const opening = openImage(parseReference(`docker-archive:${path}${spelling}`), context);
    if (isMeant) assert.equal((await opening).layers.length, 2, spelling);
    else {
      const error = await errorOf(opening);
      assert.equal(error.code, "not_found", spelling);
      assert.match(error.message, /has no image .*it has n\/app:latest$/);
    }
  }
});

test("a ./ or / at the start of a member's name has no influence", async () => {
  const image = makeImage();
  for (const prefix of ["./", "/", ".//./"]) {
    const members = newDockerArchive(image, ["n/app:1"])
      .map((one) => ({ ...one, path: `${prefix}${one.path}` }));
    const opened = await openImage(reference(writeArchive(scratch, members)), context);
    assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes));
  }
});

test("an archive of 20 GB is indexed in less than 2 s and 100 MB of memory", async () => {
  const image = makeImage();
  const path = join(scratch, "huge.tar");
  const members = oldDockerArchive([{ tags: ["n/app:1"], image }]);
  const size = 20 * 1024 ** 3;
  const fd = openSync(path, "w");
  writeSync(fd, tarHeader({ path: "unwanted", base256: true }, size));
  const rest = tarArchive(members);
  writeSync(fd, rest, 0, rest.length, 512 + size);
  closeSync(fd);
  const [started, before] = [performance.now(), process.memoryUsage().rss];
  const opened = await openImage(reference(path), context);
  assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes));
  assert.ok(performance.now() - started < 2000, "It took too long");
  assert.ok(process.memoryUsage().rss - before < 100e6, "It took too much memory");
});

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Makes an archive of the images `one:1` and `two:2` with podman, which has a storage of its own. */
async function savedByPodman(...layouts: readonly string[]): Promise<Uint8Array> {
  const [root, run] = [join(scratch, "podman-root"), join(scratch, "podman-run")];
  const path = join(scratch, "podman.tar");
  const names = ["localhost/one:1", "docker.io/library/two:2"];
  for (const [at, layout] of layouts.entries()) {
    await skopeoCopy(`oci:${layout}`, `containers-storage:[vfs@${root}+${run}]${names[at]!}`);
  }
  // Podman takes no runroot of more than 50 characters.
  await runProgram("podman", [
    ...["--root", basename(root), "--runroot", basename(run), "--storage-driver", "vfs"],
    ...["save", "--quiet", "--multi-image-archive", "--output", path, ...names],
  ], { cwd: scratch });
  return readFileSync(path);
}

test("an image is read once: its content does not need the archive's documents again", async () => {
  const image = makeImage();
  const path = writeArchive(scratch, newDockerArchive(image, ["n/app:1"]));
  await using source = await openSource({ scheme: "docker-archive", path }, context);
  const found = await resolveImage(source, HOST, NEVER);
  rmSync(path);
  assert.equal((await contentOf(source, found, NEVER)).layers.length, image.layers.length);
});

test("a tag that two images of an archive have is listed once", async () => {
  const image = makeImage();
  const members = oldDockerArchive([{ image, tags: ["n/app:1"] }, { image, tags: ["n/app:1"] }]);
  const path = writeArchive(scratch, members);
  await using source = await openSource({ scheme: "docker-archive", path }, context);
  assert.deepEqual(await source.tags!(NEVER), ["n/app:1"]);
});

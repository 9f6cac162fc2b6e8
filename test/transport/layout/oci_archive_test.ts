/** Tests of image layouts in tar files, and of the ways to name an image of a layout. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseReference } from "../../../lib/reference/parse_reference.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import { layoutMembers } from "../../helpers/archive_fixture.ts";
import { type ImageSpec, writeImage, writeIndex } from "../../helpers/image_fixture.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { directory, file } from "../../helpers/tar_fixture.ts";
import {
  errorOf,
  FORMS,
  HOST,
  makeContext,
  openImage,
  writeArchive,
} from "../archive/archive_tests.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("oci-archive");
const context = makeContext(scratch);
const OTHER = { os: "linux", architecture: "riscv64" };
let layouts = 0;

function emptyDirectory(): string {
  const path = join(scratch, `layout${layouts++}`);
  mkdirSync(path);
  return path;
}

const LAYERS = [
  [directory("etc/"), file("etc/passwd", "root:x:0:0::/:/bin/sh\n")],
  [file("etc/motd", "hello ".repeat(50_000))],
];

function image(path: string, changes: Partial<ImageSpec> = {}) {
  return writeImage(path, { layers: LAYERS, ...changes });
}

async function digestOf(uri: string, platform = HOST): Promise<string> {
  await using source = await openSource(parseReference(uri), context);
  return (await resolveImage(source, platform, context.signal)).digest;
}

test("an archive of skopeo gives the blobs of the layout, compressed or not", async () => {
  const path = emptyDirectory();
  const { manifest, config, layers } = image(path);
  const written = join(scratch, "skopeo.tar");
  await runProgram("skopeo", [
    ...["--insecure-policy", "copy", "--quiet"],
    ...[`oci:${path}`, `oci-archive:${written}:v1`],
  ]);
  for (const [form, make] of FORMS) {
    const archive = writeArchive(scratch, readFileSync(written), make);
    for (const tag of ["", ":v1", ":@0", `@${manifest.digest}`]) {
      const opened = await openImage(parseReference(`oci-archive:${archive}${tag}`), context);
      assert.equal(opened.image.digest, manifest.digest, form);
      assert.deepEqual(opened.config, config.bytes, form);
      assert.deepEqual(opened.layers, layers.map(({ bytes }) => bytes), form);
      assert.equal(opened.uri, `oci-archive:${archive}${tag}`);
    }
  }
});

test("one of several images is found by its tag, its number or its digest", async () => {
  const path = emptyDirectory();
  const one = image(path, { tag: "one" });
  const two = image(path, { tag: "quay.io/n/app:two", config: { Labels: { a: "b" } } });
  for (
    const place of [`oci:${path}`, `oci-archive:${writeArchive(scratch, layoutMembers(path))}`]
  ) {
    assert.equal(await digestOf(`${place}:one`), one.manifest.digest);
    assert.equal(await digestOf(`${place}:two`), two.manifest.digest);
    assert.equal(await digestOf(`${place}:quay.io/n/app:two`), two.manifest.digest);
    assert.equal(await digestOf(`${place}:@0`), one.manifest.digest);
    assert.equal(await digestOf(`${place}:@1`), two.manifest.digest);
    assert.equal(await digestOf(`${place}@${two.manifest.digest}`), two.manifest.digest);
    const error = await errorOf(digestOf(place));
    assert.equal(error.code, "reference");
    assert.match(error.message, /holds 2 images, .*; it has the tags one, quay\.io\/n\/app:two$/);
    assert.match(error.hint!, /PATH:TAG, oci(-archive)?:PATH:@INDEX or oci(-archive)?:PATH@DIGEST/);
    assert.match(
      (await errorOf(digestOf(`${place}:@2`))).message,
      /has no image @2; its last image is @1$/,
    );
    assert.match((await errorOf(digestOf(`${place}:three`))).message, /has no tag "three"/);
    await using source = await openSource(parseReference(`${place}:one`), context);
    assert.deepEqual(await source.tags!(context.signal), ["one", "quay.io/n/app:two"]);
  }
});

test("a layout with one image needs no tag, even if it has several tags or platforms", async () => {
  const path = emptyDirectory();
  const { manifest } = image(path, { tag: "one" });
  image(path, { tag: "two" });
  assert.equal(await digestOf(`oci:${path}`), manifest.digest);
  const nested = emptyDirectory();
  const [mine, other] = [
    image(nested, { listed: false }),
    image(nested, { listed: false, platform: OTHER }),
  ];
  const inner = writeIndex(nested, [
    { blob: other.manifest, platform: OTHER },
    { blob: mine.manifest, platform: HOST },
  ], { listed: false });
  writeIndex(nested, [{ blob: inner }]);
  const archive = writeArchive(scratch, layoutMembers(nested));
  assert.equal(await digestOf(`oci-archive:${archive}`), mine.manifest.digest);
  assert.equal(await digestOf(`oci-archive:${archive}`, OTHER), other.manifest.digest);
});

test("an image is found by the full name that containerd writes beside its tag", async () => {
  const path = emptyDirectory();
  const one = image(path, { tag: "latest" });
  image(path, { tag: "1", config: { Labels: { a: "b" } } });
  const index = JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
  for (const [at, name] of ["docker.io/n/app:latest", "docker.io/n/app:1"].entries()) {
    index.manifests[at].annotations["io.containerd.image.name"] = name;
  }
  writeFileSync(join(path, "index.json"), JSON.stringify(index));
  for (const name of ["latest", "n/app:latest", "docker.io/n/app", "n/app"]) {
    assert.equal(await digestOf(`oci:${path}:${name}`), one.manifest.digest, name);
  }
  assert.equal((await errorOf(digestOf(`oci:${path}:m/app`))).code, "not_found");
});

test("different images that Docker saved with the same tag are never confused", async () => {
  const path = emptyDirectory();
  const images = ["a", "b"].map((tag) => image(path, { tag, config: { Labels: { tag } } }));
  const index = JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
  for (const entry of index.manifests) {
    const name = entry.annotations["org.opencontainers.image.ref.name"];
    entry.platform = HOST;
    entry.annotations = {
      "org.opencontainers.image.ref.name": "latest",
      "io.containerd.image.name": `docker.io/library/${name}:latest`,
    };
  }
  writeFileSync(join(path, "index.json"), JSON.stringify(index));
  for (const tag of ["", ":latest"]) {
    const error = await errorOf(digestOf(`oci:${path}${tag}`));
    assert.equal(error.code, "reference");
    assert.match(error.message, /the tags docker\.io\/library\/a:latest, docker\.io\/library\/b:/);
  }
  assert.equal(await digestOf(`oci:${path}:b:latest`), images[1]!.manifest.digest);
  for (const entry of index.manifests) delete entry.annotations["io.containerd.image.name"];
  writeFileSync(join(path, "index.json"), JSON.stringify(index));
  assert.equal((await errorOf(digestOf(`oci:${path}`))).code, "reference");
});

test("a layout of umoci, and an archive that tar made of it, give the same image", async () => {
  const path = join(scratch, "umoci");
  await runProgram("umoci", ["init", "--layout", path]);
  await runProgram("umoci", ["new", "--image", `${path}:v1`]);
  writeFileSync(join(scratch, "motd"), "hello\n");
  for (const target of ["/etc/motd", "/etc/issue"]) {
    await runProgram("umoci", ["insert", "--image", `${path}:v1`, join(scratch, "motd"), target]);
  }
  const digest = await digestOf(`oci:${path}:v1`);
  for (const args of [["-cf"], ["--format=posix", "-czf"], ["--zstd", "-cf"]]) {
    const archive = join(scratch, `umoci${args.length}${args[0]}.tar`);
    await runProgram("tar", ["-C", path, ...args, archive, "."]);
    const opened = await openImage(parseReference(`oci-archive:${archive}:v1`), context);
    assert.equal(opened.image.digest, digest);
    assert.equal(opened.layers.length, 2);
  }
});

test("hard and symbolic links inside the archive are followed", async () => {
  const path = emptyDirectory();
  const { manifest, layers } = image(path);
  const [layer] = layers;
  const blob = join(path, `blobs/${layer!.digest.replace(":", "/")}`);
  for (const flags of [["-f"], ["-s", "-f"]]) {
    rmSync(join(path, "blobs/kept"), { force: true });
    writeFileSync(join(path, "blobs/kept"), layer!.bytes);
    await runProgram("ln", [
      ...flags,
      flags.length === 1 ? join(path, "blobs/kept") : "../kept",
      blob,
    ]);
    const archive = join(scratch, `links${flags.length}.tar`);
    await runProgram("tar", ["-C", path, "-cf", archive, "."]);
    const opened = await openImage(parseReference(`oci-archive:${archive}`), context);
    assert.equal(opened.image.digest, manifest.digest);
    assert.deepEqual(opened.layers[0], layer!.bytes);
  }
});

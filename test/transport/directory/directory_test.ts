/** Tests of directories to which skopeo has copied images. */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { type Image, writeImage, writeIndex } from "../../helpers/image_fixture.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file } from "../../helpers/tar_fixture.ts";
import { errorOf, HOST, makeContext, openImage } from "../archive/archive_tests.ts";

const scratch = scratchDirectory("directory");
const context = makeContext(scratch);
const OTHER = { os: "linux", architecture: "riscv64" };
const single = join(scratch, "single");
const multiple = join(scratch, "multiple");
let mine: Image;
let other: Image;
let copies = 0;

before(async () => {
  const layout = join(scratch, "layout");
  mkdirSync(layout);
  const layers = [[file("a", "1")], [file("b", "2")]];
  mine = writeImage(layout, { layers, tag: "one" });
  other = writeImage(layout, { layers, platform: OTHER, listed: false });
  writeIndex(layout, [
    { blob: mine.manifest, platform: HOST },
    { blob: other.manifest, platform: OTHER },
  ], { tag: "all" });
  await skopeoCopy(`oci:${layout}:one`, `dir:${single}`);
  await skopeoCopy("--all", `oci:${layout}:all`, `dir:${multiple}`);
});

async function skopeoCopy(...args: string[]): Promise<void> {
  await runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", ...args]);
}

function open(path: string, platform = HOST) {
  return openImage({ scheme: "dir", path }, context, platform);
}

/** Makes a copy of the directory, and changes a file of the copy. */
function spoilt(path: string, change: (copy: string) => void): string {
  const copy = join(scratch, `copy${copies++}`);
  cpSync(path, copy, { recursive: true });
  change(copy);
  return copy;
}

function hexOf({ digest }: { readonly digest: string }): string {
  return digest.slice("sha256:".length);
}

test("the manifest of an image for one platform is manifest.json", async () => {
  const opened = await open(single);
  assert.equal(opened.image.digest, mine.manifest.digest);
  assert.equal(opened.uri, `dir:${single}`);
  assert.deepEqual(opened.config, mine.config.bytes);
  assert.deepEqual(opened.layers, mine.layers.map(({ bytes }) => bytes));
});

test("an image for several platforms gives the manifest of the wanted one", async () => {
  for (const [platform, image] of [[HOST, mine], [OTHER, other]] as const) {
    const opened = await open(multiple, platform);
    assert.equal(opened.image.digest, image.manifest.digest);
    assert.equal(opened.image.documents.length, 2);
    assert.deepEqual(opened.config, image.config.bytes);
  }
});

/** [what is wrong, the change, code, message] */
const WRONG: readonly (readonly [string, (path: string) => void, string, RegExp])[] = [
  [
    "no manifest.json",
    (path) => rmSync(join(path, "manifest.json")),
    "not_found",
    /holds no image: it has no file "manifest\.json"$/,
  ],
  [
    "a manifest.json that is not JSON",
    (path) => writeFileSync(join(path, "manifest.json"), "[}"),
    "manifest",
    /is not JSON/,
  ],
  [
    "a forged manifest",
    (path) => writeFileSync(join(path, `${hexOf(mine.manifest)}.manifest.json`), "{}"),
    "digest",
    /has the digest sha256:\w+ instead of sha256:/,
  ],
  [
    "a missing manifest of the platform",
    (path) => rmSync(join(path, `${hexOf(mine.manifest)}.manifest.json`)),
    "not_found",
    /manifest\.json" does not exist$/,
  ],
  [
    "a layer that is missing",
    (path) => rmSync(join(path, hexOf(mine.layers[1]!))),
    "not_found",
    /has no blob sha256:/,
  ],
  [
    "a layer of another size",
    (path) => writeFileSync(join(path, hexOf(mine.layers[1]!)), "short"),
    "file",
    /has 5 bytes instead of/,
  ],
  [
    "a layer that is a link out of the directory",
    (path) => {
      const layer = join(path, hexOf(mine.layers[1]!));
      rmSync(layer);
      symlinkSync("/etc/passwd", layer);
    },
    "file",
    /is a link that leads out of the directory$/,
  ],
  [
    "a layer that is a directory",
    (path) => {
      const layer = join(path, hexOf(mine.layers[1]!));
      rmSync(layer);
      mkdirSync(layer);
    },
    "file",
    /is not a regular file$/,
  ],
];

for (const [what, change, code, message] of WRONG) {
  test(`${what} gives an error`, async () => {
    const error = await errorOf(open(spoilt(multiple, change)));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}

test("a manifest.json that cannot be read is not called missing", async () => {
  const path = spoilt(single, (copy) => {
    rmSync(join(copy, "manifest.json"));
    mkdirSync(join(copy, "manifest.json"));
  });
  const error = await errorOf(open(path));
  assert.equal(error.code, "file");
  assert.match(error.message, /manifest\.json" is not a regular file$/);
});

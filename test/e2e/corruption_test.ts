/** A large real tree, rich in duplicates, packed in several ways: every byte arrives each time. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import { digestOf, type Image, writeImage } from "../helpers/image_fixture.ts";
import { assertSameTree } from "../helpers/layer_case.ts";
import { runProgram } from "../helpers/run_program.ts";
import { asEnrootImage, listDirectory, listImage, type Tree } from "../helpers/tree_listing.ts";

const denroot = useDenroot();
let image: Image;
let expected: Tree;

/** Directories that every Debian machine has; copies of one tree share all their blocks. */
const sources = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/share/perl"];
const maxFileBytes = 4_000_000;
const maxBytes = 70_000_000;

before(async () => {
  const tree = join(denroot.home, "tree");
  const script = `set -euo pipefail
    mkdir -p "$TREE/one"
    # Whole files up to a budget, then twice the same with other tails: full blocks match, tails differ.
    find "$@" -type f -size -${maxFileBytes}c -printf '%s %p\\n' 2>/dev/null | LC_ALL=C sort -k2 |
      awk -v max=${maxBytes} '{ sum += $1; if (sum <= max) print $2 }' |
      tar -cf - --verbatim-files-from -T - 2>/dev/null | tar -C "$TREE/one" -xf -
    cp -a "$TREE/one" "$TREE/two"
    cp -a "$TREE/one" "$TREE/three"
    find "$TREE/two" -type f -exec sh -c 'for f; do chmod u+w "$f"; printf tail >> "$f"; done' sh {} +
    tar -C "$TREE" --sort=name --owner=0 --group=0 --numeric-owner -cf "$TREE.tar" .`;
  const present = sources.filter((path) => existsSync(path));
  await runProgram("bash", ["-c", script, "make", ...present], {
    env: { ...process.env, TREE: tree },
  });
  image = writeImage(join(denroot.home, "layout"), {
    layers: [{ tar: readFileSync(`${tree}.tar`) }],
    compression: "zstd",
  });
  expected = asEnrootImage(await listDirectory(tree));
  assert.ok(expected.size > 300, `only ${expected.size} entries`);
});

const optionSets = [
  "-comp lz4",
  "-comp zstd -Xcompression-level 1 -b 256K",
  // An enroot.conf from elsewhere must not switch the protection off.
  "-comp gzip -Xcompression-level 1 -exit-on-error",
];

for (const options of optionSets) {
  test(`every byte of a tree rich in duplicates arrives (${options})`, async () => {
    const output = await denroot.import(uri(), { env: { ENROOT_SQUASH_OPTIONS: options } });
    await assertWhole(output);
    rmSync(output);
  });
}

test("the default options give every byte, and the same image on any number of processors", async () => {
  const outputs = [
    await denroot.import(uri(), { env: { ENROOT_MAX_PROCESSORS: "1" } }),
    await denroot.import(uri(), { env: { ENROOT_MAX_PROCESSORS: "2" } }),
    // denroot's own comparison must agree as well.
    await denroot.import(uri(), { env: { ENROOT_MAX_PROCESSORS: "4" }, args: ["--verify"] }),
  ];
  await assertWhole(outputs[0]!);
  const digests = outputs.map((output) => digestOf(readFileSync(output)));
  assert.deepEqual(digests, digests.map(() => digests[0]));
});

function uri(): string {
  return `oci:${image.directory}:${image.tag}`;
}

async function assertWhole(output: string): Promise<void> {
  assertSameTree(await listImage(output), expected, { ignore: ["mtime"] });
}

/** Stacks of layers as test cases: denroot's import is compared with umoci and with expectations. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Denroot } from "./denroot_command.ts";
import { type ImageSpec, type LayerSpec, writeImage } from "./image_fixture.ts";
import type { TarSpec } from "./tar_fixture.ts";
import {
  asEnrootImage,
  compareTrees,
  type Comparison,
  listImage,
  type Tree,
  type TreeEntry,
} from "./tree_listing.ts";
import { umociTreeOf } from "./umoci_oracle.ts";

export interface LayerCase {
  /** A sentence about what must hold. */
  readonly title: string;
  readonly layers: readonly (LayerSpec | readonly TarSpec[])[];
  /** Expected entries: a file's contents, `-> target`, `directory` or another type; null for none. */
  readonly holds?: Readonly<Record<string, string | null>>;
  /** Groups of paths; each group must share one inode that no other path has. */
  readonly linked?: readonly (readonly string[])[];
  /** False where umoci fails or is wrong; a comment beside it gives the reason. */
  readonly umoci?: false | Comparison;
  readonly check?: (tree: Tree) => void;
  /** The import must fail with this on standard error instead. */
  readonly fails?: RegExp;
}

/** enroot's own files, which no layer holds. */
export const ownPaths = ["etc/rc", "etc/rc.local", "etc/fstab", "etc/environment", ".enroot"];

export function testLayerCases(denroot: () => Denroot, cases: readonly LayerCase[]): void {
  for (const one of cases) test(one.title, () => runLayerCase(denroot(), one));
}

async function runLayerCase(denroot: Denroot, one: LayerCase): Promise<void> {
  const spec: ImageSpec = { layers: one.layers };
  if (one.fails !== undefined) {
    const result = await importSpec(denroot, spec);
    assert.match(result.stderr, one.fails);
    assert.equal(result.exitCode, 1, result.stderr);
    assert.deepEqual(denroot.leftovers().filter((path) => path.endsWith("case.sqsh")), []);
    return;
  }
  const tree = await importedTree(denroot, spec);
  if (one.umoci !== false) await assertLikeUmoci(tree, spec, one.umoci);
  for (const [path, expected] of Object.entries(one.holds ?? {})) {
    assert.equal(described(tree.get(path), expected), expected ?? "nothing", path);
  }
  for (const paths of one.linked ?? []) {
    const group = [...tree.values()].filter((entry) =>
      entry.group !== undefined && entry.group === tree.get(paths[0]!)?.group
    );
    assert.deepEqual(group.map((entry) => entry.path).sort(), [...paths].sort(), "linked");
  }
  one.check?.(tree);
}

/** The tree of the image that denroot makes of these layers; throws when the import fails. */
export async function importedTree(denroot: Denroot, spec: ImageSpec): Promise<Tree> {
  const result = await importSpec(denroot, spec);
  const output = join(denroot.work, "case.sqsh");
  try {
    assert.equal(result.exitCode, 0, result.stderr);
    return await listImage(output);
  } finally {
    rmSync(output, { force: true });
  }
}

async function importSpec(denroot: Denroot, spec: ImageSpec) {
  const directory = mkdtempSync(join(denroot.home, "layout-"));
  rmSync(join(denroot.work, "case.sqsh"), { force: true });
  try {
    const image = writeImage(directory, spec);
    const uri = `oci:${image.directory}:${image.tag}`;
    return await denroot.run(["import", "--output", join(denroot.work, "case.sqsh"), uri]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function assertLikeUmoci(
  tree: Tree,
  spec: ImageSpec,
  comparison: Comparison = {},
): Promise<void> {
  const expected = asEnrootImage(await umociTreeOf(spec));
  assertSameTree(tree, expected, comparison);
}

/** Compares with what another engine made, enroot's own files left out. */
export function assertSameTree(tree: Tree, expected: Tree, comparison: Comparison = {}): void {
  // enroot's own files make an `etc` where the image has none.
  const own = expected.has("etc") ? ownPaths : [...ownPaths, "etc"];
  const without = [...own, ...comparison.without ?? []];
  assert.deepEqual(compareTrees(tree, expected, { ...comparison, without }).slice(0, 40), []);
}

/** Describes an entry in the words of `holds`. Files are compared by digest. */
function described(entry: TreeEntry | undefined, expected: string | null): string {
  if (entry === undefined) return "nothing";
  if (entry.type === "symlink") return `-> ${entry.linkPath}`;
  if (entry.type !== "file") return entry.type;
  const digest = createHash("sha256").update(expected ?? "").digest("hex");
  if (expected !== null && entry.sha256 === digest) return expected;
  return `a file of ${entry.size} bytes that are not these`;
}

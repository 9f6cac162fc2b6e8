/** The cache's blobs go away beside imports that need them, and the imports do not fail. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { type Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import { type FakeRegistry, startFakeRegistry } from "../helpers/fake_registry.ts";
import { blobPath, writeImage } from "../helpers/image_fixture.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages } from "../helpers/serve_images.ts";
import { file } from "../helpers/tar_fixture.ts";
import { listImage } from "../helpers/tree_listing.ts";

const NAMES = ["base", "lower", "upper", "top"] as const;
const image = writeImage(scratchDirectory("layout"), {
  layers: NAMES.map((name) => [file(name, name.repeat(1000))]),
  tag: "t",
});
const [base] = image.layers.map(({ digest }) => digest);
const top = image.layers.at(-1)!.digest;

testOneRuntime("a layer that is removed after it was found is fetched", async (denroot) => {
  let isFirst = true;
  await withRegistry((digest) => {
    if (digest === top && !isFirst) rmSync(blobPath(denroot.cache, base!));
    return undefined;
  }, async (registry) => {
    await importImage(denroot, registry);
    isFirst = false;
    rmSync(blobPath(denroot.cache, top));
    assert.match(await importImage(denroot, registry), /removed while it was needed; fetching/);
  });
});

testOneRuntime("a layer that is removed after it was fetched is fetched again", async (denroot) => {
  let isRemoved = false;
  const file = blobPath(denroot.cache, base!);
  await withRegistry(async (digest) => {
    if (digest !== top || isRemoved) return;
    await waitUntil("the base is here", () => existsSync(file));
    rmSync(file);
    isRemoved = true;
  }, async (registry) => {
    assert.match(await importImage(denroot, registry), /removed while it was needed; fetching/);
  });
});

testEachRuntime("cache shows what imports left, and prune removes it", async (denroot) => {
  await withRegistry(() => undefined, async (registry) => {
    await importImage(denroot, registry);
    const shown = (await denroot.succeed(["cache"])).stdout;
    assert.match(shown, /^Blobs {7}5 \(\d/m);
    assert.match(shown, /^Unfinished {2}none$/m);
    const options = ["cache", "prune", "--keep-bytes", "0", "--json"];
    const young = JSON.parse((await denroot.succeed(options)).stdout);
    assert.deepEqual([young.removed.length, young.inUse.count], [0, 5]);
    makeOld(denroot);
    const dry = JSON.parse((await denroot.succeed([...options, "--dry-run"])).stdout);
    assert.deepEqual([dry.dryRun, dry.removed.length], [true, 5]);
    const pruned = await denroot.succeed(["cache", "prune", "--older-than", "30d"]);
    assert.match(pruned.stdout, /^Removed 5 files \(.*\); kept: no files$/m);
    assert.deepEqual(blobsOf(denroot), []);
    await importImage(denroot, registry);
  });
});

async function withRegistry(
  delay: (digest: string) => Promise<void> | undefined,
  use: (registry: FakeRegistry) => Promise<void>,
): Promise<void> {
  await using registry = await startFakeRegistry(serveImages({ t: image }, { delay }));
  await use(registry);
}

/** Gives the log. */
async function importImage(denroot: Denroot, { host }: FakeRegistry): Promise<string> {
  const args = ["import", "--force", "-o", "x.sqsh", `docker://${host}#app:t`];
  const { stderr } = await denroot.succeed(args);
  const tree = await listImage(join(denroot.work, "x.sqsh"));
  for (const name of NAMES) assert.equal(tree.get(name)?.size, name.length * 1000);
  return stderr;
}

function blobsOf(denroot: Denroot): string[] {
  return readdirSync(join(denroot.cache, "blobs/sha256"));
}

function makeOld(denroot: Denroot): void {
  const seconds = Date.now() / 1000 - 40 * 24 * 60 * 60;
  for (const name of blobsOf(denroot)) {
    utimesSync(join(denroot.cache, "blobs/sha256", name), seconds, seconds);
  }
}

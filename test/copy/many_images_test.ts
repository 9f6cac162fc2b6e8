/** Several images in one place: under one name for several platforms, or under several names. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { copyBetween } from "../../lib/copy/copy_between.ts";
import { asDestinationSide, asSourceSide } from "../../lib/copy/sides.ts";
import { imageContext } from "../../lib/image/image_options.ts";
import { parseReference } from "../../lib/reference/parse_reference.ts";
import { openStore } from "../../lib/store/open_cache.ts";
import { openDestination } from "../../lib/transport/open_destination.ts";
import { openSource } from "../../lib/transport/open_source.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { file } from "../helpers/tar_fixture.ts";
import { Layout, useCopies } from "./copy_fixture.ts";

const { copy, copySettings, scratch } = useCopies();

test("images that share a name without an index get one, the same one each time", async () => {
  const home = join(scratch, "shared-name");
  const layout = new Layout(join(home, "source"));
  for (const architecture of ["amd64", "arm64"]) {
    const platform = { os: "linux", architecture };
    const { manifest } = writeImage(layout.path, {
      layers: [[file("a", architecture)]],
      platform,
      listed: false,
    });
    layout.list(manifest, "v1", platform);
  }
  const log: string[] = [];
  const first = await copy(`oci:${layout.path}:v1`, `oci:${home}/copy:v1`, { log });
  const second = await copy(`oci:${layout.path}:v1`, `oci:${home}/copy:v1`);
  assert.match(log.join("\n"), /The digest changes: .* had no digest, and the copy is sha256:/);
  assert.deepEqual([second.digest, second.blobs], [first.digest, []]);
  const one = await copy(`oci:${home}/copy:v1`, `oci:${home}/one:v1`, { platforms: ["arm64"] });
  assert.equal(one.blobs.length, 2);
});

test("one archive takes several images, and each of their blobs once", async () => {
  const home = join(scratch, "one-archive");
  const layout = new Layout(join(home, "source"));
  const shapes = { one: [1, 2, 3], two: [2, 3, 4] };
  const roots = Object.entries(shapes).map(([tag, layers]) => {
    const root = layout.add({ kind: "image", layers });
    layout.list(root, tag);
    return { tag, digest: root.digest };
  });
  const settings = copySettings();
  const context = await imageContext({ settings });
  using cache = openStore(settings, context.onProgress);
  const places = { ...context, blobs: cache };
  const target = parseReference(`oci-archive:${home}/all.tar:one`);
  await using source = asSourceSide(
    await openSource(parseReference(`oci:${layout.path}:one`), places),
  );
  await using archive = asDestinationSide(
    await openDestination(target, { ...places, replace: false }),
  );
  for (const { tag, digest } of roots) {
    const copied = await copyBetween({
      source: source.at!(tag),
      destination: archive.at!(tag),
      target,
      options: {},
      cache,
      context: places,
    });
    assert.equal(copied.digest, digest);
  }
  await archive.finish!(context.signal);
  const path = join(home, "all.tar");
  const names = execFileSync("tar", ["-tf", path], { encoding: "utf8" }).trim().split("\n");
  assert.equal(names.length, new Set(names).size);
  assert.deepEqual(names.slice(-2), ["oci-layout", "index.json"]);
  for (const { tag, digest } of roots) {
    const copied = await copy(`oci-archive:${path}:${tag}`, `oci:${home}/back:${tag}`);
    assert.equal(copied.digest, digest);
  }
});

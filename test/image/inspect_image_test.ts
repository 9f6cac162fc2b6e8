/** Tests what an inspection tells about an image, and what it leaves alone. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { inspectImage } from "../../lib/image/inspect_image.ts";
import type { ImageOptions } from "../../lib/image/image_options.ts";
import { MAX_CONFIG_SIZE } from "../../lib/oci/parse_config.ts";
import { newDockerArchive } from "../helpers/archive_fixture.ts";
import { startFakeRegistry, type Step } from "../helpers/fake_registry.ts";
import {
  type Image,
  jsonBlob,
  writeBlob,
  writeImage,
  writeIndex,
} from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file, tarArchive } from "../helpers/tar_fixture.ts";
import { until } from "../http/http_fixture.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("inspect");
const layout = join(scratch, "layout");
const image = writeImage(layout, { layers: [[file("a", "1")], [file("a", "2")]], tag: "image" });
const NEITHER = { os: "linux", architecture: "neither" };
const other = writeImage(layout, { layers: [[file("b")]], platform: NEITHER, tag: "other" });

function inspect(uri: string, options: ImageOptions = {}) {
  const settings = makeSettings({ cachePath: join(scratch, "cache") });
  return inspectImage(uri, { settings, ...options });
}

/** Inspects an image whose manifest names other blobs than that of `image`. */
function inspectChanged(changes: Record<string, unknown>, tag: string) {
  const manifest = jsonBlob(image.manifest.mediaType, {
    ...JSON.parse(image.manifest.bytes.toString()),
    ...changes,
  });
  writeBlob(layout, manifest);
  writeIndex(layout, [{ blob: manifest }], { tag });
  return inspect(`oci:${layout}:${tag}`);
}

const descriptorOf = ({ mediaType, digest, size }: Image["config"]) => ({
  mediaType,
  digest,
  size,
});

/** The requests of an inspection of `image`, all on one registry. */
function requestsFor(path: string): Step[] {
  const { manifest, config } = image;
  return [
    {
      request: `GET /v2/${path}/manifests/1.0`,
      answer: { headers: { "Content-Type": manifest.mediaType }, body: manifest.bytes },
    },
    { request: `GET /v2/${path}/blobs/${config.digest}`, answer: { body: config.bytes } },
  ];
}

test("an image in a registry takes two requests, and its connections are closed", async () => {
  await using registry = await startFakeRegistry(requestsFor("team/app"));
  const { digest, tags } = await inspect(`docker://${registry.host}#team/app:1.0`);
  assert.deepEqual([digest, tags], [image.manifest.digest, undefined]);
  await until(() => registry.connections.open === 0);
});

test("a layout tells its tags, because that takes no request", async () => {
  assert.deepEqual((await inspect(`oci:${layout}:image`)).tags?.slice(0, 2), ["image", "other"]);
});

test("the architecture that is asked for is chosen, and no other image is taken for it", async () => {
  writeIndex(layout, [
    { blob: image.manifest, platform: image.platform },
    { blob: other.manifest, platform: NEITHER },
  ], { tag: "index" });
  const uri = `oci:${layout}:index`;
  const chosen = await inspect(uri, { architecture: "neither" });
  assert.equal(chosen.digest, other.manifest.digest);
  const inspecting = inspect(`oci:${layout}:image`, { architecture: "neither" });
  await assert.rejects(inspecting, { code: "platform" });
});

test("an abort by the caller ends the inspection", async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(inspect(`oci:${layout}:image`, { signal }), { code: "aborted" });
});

test("an attestation is not among the images that an index offers", async () => {
  const unknown = { os: "unknown", architecture: "unknown" };
  writeIndex(layout, [
    { blob: image.manifest, platform: image.platform },
    { blob: other.manifest, platform: unknown },
  ], { tag: "attested" });
  const { offers } = await inspect(`oci:${layout}:attested`);
  assert.deepEqual(offers, [{ platform: image.platform, digest: image.manifest.digest }]);
});

test("steps name the layers that they made, unless the history has another number", async () => {
  const config = JSON.parse(image.config.bytes.toString());
  const history = [{ created_by: "one" }, { empty_layer: true }, { created_by: "two" }];
  const layersOf = async (steps: readonly unknown[], tag: string) => {
    const changed = jsonBlob(image.config.mediaType, { ...config, history: steps });
    writeBlob(layout, changed);
    const { steps: found } = await inspectChanged({ config: descriptorOf(changed) }, tag);
    return found.map(({ layer }) => layer);
  };
  assert.deepEqual(await layersOf(history, "history"), [0, undefined, 1]);
  assert.deepEqual(await layersOf(history.slice(1), "squashed"), [undefined, undefined]);
});

test("a blob that is two layers counts once", async () => {
  const twice = writeImage(layout, { layers: [[file("c")], [file("c")]], tag: "twice" });
  const { sizes } = await inspect(`oci:${layout}:twice`);
  const stored = twice.layers[0]!.size + twice.config.size;
  assert.deepEqual([sizes.stored, sizes.local, sizes.missing], [stored, stored, 0]);
});

test("a manifest with another number of layers than the configuration is refused", async () => {
  const layers = [descriptorOf(image.layers[0]!)];
  await assert.rejects(inspectChanged({ layers }, "short"), { code: "manifest" });
});

test("a configuration that is too large is not read", async () => {
  const config = { ...descriptorOf(image.config), size: MAX_CONFIG_SIZE + 1 };
  await assert.rejects(inspectChanged({ config }, "large"), { code: "limit" });
});

test("an archive that can only be read as one stream leaves no temporary cache", async () => {
  const temporary = join(scratch, "temporary");
  mkdirSync(temporary);
  const archive = join(scratch, "image.tar.gz");
  writeFileSync(archive, gzipSync(tarArchive(newDockerArchive(image, ["app:1"]))));
  const { digest } = await inspect(`docker-archive:${archive}`, {
    settings: makeSettings({
      cachePath: "/dev/null/cache",
      environment: { PATH: "/usr/bin:/bin", TMPDIR: temporary },
    }),
  });
  assert.match(digest, /^sha256:/);
  assert.deepEqual(readdirSync(temporary), []);
});

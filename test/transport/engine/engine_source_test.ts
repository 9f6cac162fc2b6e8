/** Tests when an engine is asked for the whole image, and when the blobs in the cache are enough. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../../lib/config/settings.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import type { Engine } from "../../../lib/transport/engine/engine.ts";
import { engineSource } from "../../../lib/transport/engine/source.ts";
import type { Digest } from "../../../lib/types/image.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file, tarArchive } from "../../helpers/tar_fixture.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("engine");
const platform = { os: "linux", architecture: "amd64" };
const { signal } = new AbortController();
const layer = Buffer.alloc(128 * 1024);
const diffIds = [digestOf(layer)];
const config = Buffer.from(
  JSON.stringify({ ...platform, config: {}, rootfs: { type: "layers", diff_ids: diffIds } }),
);
const name = `${digestOf(config).slice("sha256:".length)}.json`;
const archive = tarArchive([
  file(name, config),
  file("layer.tar", layer),
  file("manifest.json", JSON.stringify([{ Config: name, Layers: ["layer.tar"] }])),
]);

test("a configuration that is damaged in the cache is read from the engine again", async () => {
  const { blobs, saves, resolve } = await prepare("damaged", digestOf(config));
  const digest = await resolve();
  assert.equal(await resolve(), digest);
  assert.equal(saves(), 1);
  appendFileSync(blobs.find({ digest: digestOf(config) })!, " ");
  assert.equal(await resolve(), digest);
  assert.equal(saves(), 2);
  assert.equal(await resolve(), digest);
  assert.equal(saves(), 2);
});

test("a manifest that has the image's ID as its digest is not used as the configuration", async () => {
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
  const { blobs, saves, resolve } = await prepare("manifest", digestOf(manifest));
  const digest = await resolve();
  const writer = blobs.spool();
  writer.write(manifest);
  await writer.commit();
  writer.close();
  assert.equal(await resolve(), digest);
  assert.equal(saves(), 2);
});

async function prepare(directory: string, id: Digest) {
  let saves = 0;
  const engine: Engine = {
    name: "the engine",
    inspect: () => Promise.resolve({ id, diffIds, platform }),
    async *save() {
      saves++;
      yield await Promise.resolve(archive);
    },
  };
  const settings = await loadSettings({
    HOME: scratch,
    ENROOT_CACHE_PATH: join(scratch, directory),
  });
  const blobs = new BlobCache(settings.cachePath);
  blobs.open();
  const resolve = async () => {
    const reference = { scheme: "dockerd", image: "app" } as const;
    await using source = engineSource(engine, reference, { settings, blobs, platform, signal });
    return (await resolveImage(source, platform, signal)).digest;
  };
  return { blobs, resolve, saves: () => saves };
}

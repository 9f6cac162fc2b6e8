/** Tests when an engine is asked for the whole image, and when the blobs in the cache are enough. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { loadSettings } from "../../../lib/config/settings.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import type { Engine } from "../../../lib/transport/engine/engine.ts";
import { engineSource } from "../../../lib/transport/engine/source.ts";
import type { Digest } from "../../../lib/types/image.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file, tarArchive } from "../../helpers/tar_fixture.ts";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";

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

test("an image whose layer is no longer in the cache is read from the engine again", async () => {
  const { blobs, saves, resolve } = await prepare("removed", digestOf(config));
  const digest = await resolve();
  blobs.remove(digestOf(layer));
  assert.equal(await resolve(), digest);
  assert.equal(saves(), 2);
});

test("blobs are read by way of the cache, and one that vanishes from there is an error", async () => {
  const { blobs, open } = await prepare("lost", digestOf(config));
  await using source = open();
  const image = await resolveImage(source, platform, signal);
  const { layers: [stored] } = await contentOf(source, image, signal);
  assert.equal(source.place!(stored!), undefined);
  blobs.remove(stored!.digest);
  assert.throws(() => source.place!(stored!), {
    code: "not_found",
    message: /no longer in the cache/,
  });
});

test("an abort while the cached image is read does not ask the engine again", async () => {
  const { saves, resolve, open } = await prepare("aborted", digestOf(config));
  await resolve();
  await using source = open();
  await assert.rejects(source.root(AbortSignal.abort()), { code: "aborted" });
  assert.equal(saves(), 1);
});

test("the engine is told when its archive cannot be read", async () => {
  let isEnded = false;
  const { open } = await prepare("broken", digestOf(config), async function* () {
    try {
      for (;;) yield await Promise.resolve(Buffer.alloc(65_536, "no archive"));
    } finally {
      isEnded = true;
    }
  });
  await using source = open();
  await assert.rejects(source.root(signal));
  assert.ok(isEnded, "the engine still sends");
});

test("an image that the engine lacks is an error with that engine's commands", async () => {
  const settings = await loadSettings({ HOME: scratch });
  const blobs = new BlobCache(settings.cachePath);
  const engine: Engine = {
    name: "the engine",
    inspect: () => Promise.reject(new DenrootError("not_found", "No such image")),
    save: () => assert.fail("It was asked for the image"),
  };
  for (
    const [scheme, hint] of [["podman", /podman image ls/], ["dockerd", /docker image ls/]] as const
  ) {
    const context = { settings, blobs, platform, signal };
    await using source = engineSource(engine, { scheme, image: "app" }, context);
    await assert.rejects(source.root(signal), { code: "not_found", hint });
  }
});

async function prepare(
  directory: string,
  id: Digest,
  send: () => AsyncIterableIterator<Uint8Array> = sendArchive,
) {
  let saves = 0;
  const engine: Engine = {
    name: "the engine",
    inspect: () => Promise.resolve({ id, diffIds, platform }),
    save() {
      saves++;
      return send();
    },
  };
  const settings = await loadSettings({
    HOME: scratch,
    ENROOT_CACHE_PATH: join(scratch, directory),
  });
  const blobs = new BlobCache(settings.cachePath);
  blobs.open();
  const reference = { scheme: "dockerd", image: "app" } as const;
  const open = () => engineSource(engine, reference, { settings, blobs, platform, signal });
  const resolve = async () => {
    await using source = open();
    return (await resolveImage(source, platform, signal)).digest;
  };
  return { blobs, open, resolve, saves: () => saves };
}

async function* sendArchive(): AsyncIterableIterator<Uint8Array> {
  yield await Promise.resolve(archive);
}

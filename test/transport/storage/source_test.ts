/** Tests of images in a storage: their documents, their layers and what is wrong with them. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import {
  DOCKER_MANIFEST,
  DOCKER_PLAIN_LAYER,
  OCI_CONFIG,
  OCI_MANIFEST,
  OCI_PLAIN_LAYER,
} from "../../../lib/oci/media_types.ts";
import { openContainersStorage } from "../../../lib/transport/storage/source.ts";
import type { ImageContent, ImageSource } from "../../../lib/types/source.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import {
  AMD64,
  blobOf,
  indexText,
  isError,
  makeSettings,
  manifestText,
  NEVER,
  NO_BLOBS,
} from "../registry/registry_fixture.ts";

const scratch = scratchDirectory("storage");
const S390X = { os: "linux", architecture: "s390x" };
const DIFF_IDS = ["base", "top"].map((text) => digestOf(Buffer.from(text)));
const CONFIG = configText(DIFF_IDS);

interface StoredImageSpec {
  readonly name?: string;
  /** The documents by their names in the storage. */
  readonly documents: Readonly<Record<string, string>>;
  readonly layers?: readonly Readonly<Record<string, unknown>>[];
}

function configText(diffIds: readonly string[]): string {
  return JSON.stringify({ rootfs: { type: "layers", diff_ids: diffIds } });
}

function imageText(mediaType = OCI_MANIFEST, config = CONFIG, layers = ["one", "two"]): string {
  return manifestText({
    mediaType,
    config: { ...blobOf(config), mediaType: OCI_CONFIG, size: 7 },
    layers: layers.map((layer) => blobOf(layer)),
  });
}

/** The documents of an image whose manifest is `manifest`. */
function documentsOf(manifest: string, config = CONFIG): Record<string, string> {
  return {
    manifest,
    [`manifest-${digestOf(Buffer.from(manifest))}`]: manifest,
    [digestOf(Buffer.from(config))]: config,
  };
}

/** Gives what the storage's record of a layer says of it, base first. */
const LAYERS = DIFF_IDS.map((diffId) => ({ "diff-digest": diffId, "diff-size": 5 }));

/** Writes a storage of the driver vfs, without recipes of tar streams. */
function writeStorage(images: readonly StoredImageSpec[]): string {
  const root = mkdtempSync(join(scratch, "root-"));
  const records: Record<"images" | "layers", unknown[]> = { images: [], layers: [] };
  for (const [number, { name, documents, layers = LAYERS }] of images.entries()) {
    const idOf = (layer: number) => `${number}${layer}`.padEnd(64, "0");
    layers.forEach((layer, at) => {
      records.layers.push({ ...layer, id: idOf(at), parent: at === 0 ? "" : idOf(at - 1) });
      mkdirSync(join(root, "vfs/dir", idOf(at)), { recursive: true });
    });
    const id = `${number}`.padEnd(64, "a");
    const digests = Object.entries(documents)
      .map(([key, text]) => [key, digestOf(Buffer.from(text))]);
    records.images.push({
      id,
      names: name === undefined ? [] : [`localhost/${name}`],
      layer: idOf(layers.length - 1),
      "big-data-digests": Object.fromEntries(digests),
    });
    for (const [key, text] of Object.entries(documents)) {
      const file = /^[.0-9a-z]*$/.test(key) ? key : `=${Buffer.from(key).toString("base64")}`;
      mkdirSync(join(root, "vfs-images", id), { recursive: true });
      writeFileSync(join(root, "vfs-images", id, file), text);
    }
  }
  mkdirSync(join(root, "vfs-layers"));
  writeFileSync(join(root, "vfs-images/images.json"), JSON.stringify(records.images));
  writeFileSync(join(root, "vfs-layers/layers.json"), JSON.stringify(records.layers));
  return root;
}

function open(root: string, image: string, log: string[] = []): Promise<ImageSource> {
  const reference = {
    scheme: "containers-storage",
    driver: "vfs",
    root,
    options: [],
    image,
  } as const;
  return openContainersStorage(reference, {
    settings: makeSettings(),
    blobs: NO_BLOBS,
    platform: AMD64,
    signal: NEVER,
    onProgress: (event) => void (event.type === "log" && log.push(event.message)),
  });
}

async function contentIn(root: string, image = "app:1", platform = AMD64): Promise<ImageContent> {
  await using source = await open(root, image);
  return await contentOf(source, await resolveImage(source, platform, NEVER), NEVER);
}

test("layers are described as the storage has them, in the form of the manifest", async () => {
  for (
    const [type, layerType] of [
      [OCI_MANIFEST, OCI_PLAIN_LAYER],
      [DOCKER_MANIFEST, DOCKER_PLAIN_LAYER],
    ] as const
  ) {
    const root = writeStorage([{ name: "app:1", documents: documentsOf(imageText(type)) }]);
    const { config, layers } = await contentIn(root);
    // The size in the manifest is wrong here.
    assert.equal(config.size, CONFIG.length);
    assert.deepEqual(
      layers,
      DIFF_IDS.map((digest) => ({ mediaType: layerType, digest, size: 5 })),
    );
  }
});

test("another number of layers than the manifest or the configuration names is refused", async () => {
  const few = configText(DIFF_IDS.slice(1));
  for (
    const image of [
      { documents: documentsOf(imageText(OCI_MANIFEST, CONFIG, ["one"])) },
      { documents: documentsOf(imageText(OCI_MANIFEST, few), few) },
      { documents: documentsOf(imageText()), layers: LAYERS.slice(1) },
    ]
  ) {
    const root = writeStorage([{ name: "app:1", ...image }]);
    await assert.rejects(contentIn(root), isError("manifest", /^The storage has \d layers/));
  }
});

test("a layer with another diffID than the configuration's is refused", async () => {
  const documents = documentsOf(imageText());
  const root = writeStorage([{ name: "app:1", documents, layers: LAYERS.toReversed() }]);
  await assert.rejects(contentIn(root), isError("manifest", /^Layer 1\/2 .* has the diffID/));
});

test("an image of an index is found, though another image has the name", async () => {
  const mine = imageText();
  const theirs = imageText(DOCKER_MANIFEST);
  const index = indexText([[mine, AMD64], [theirs, S390X]]);
  const indexed = { [`manifest-${digestOf(Buffer.from(index))}`]: index };
  const root = writeStorage([
    { name: "app:1", documents: { ...documentsOf(mine), ...indexed } },
    { documents: { ...documentsOf(theirs), ...indexed } },
  ]);
  const image = `app@${digestOf(Buffer.from(index))}`;
  const mediaType = async (platform: typeof AMD64) =>
    (await contentIn(root, image, platform)).layers[0]!.mediaType;
  assert.equal(await mediaType(AMD64), OCI_PLAIN_LAYER);
  assert.equal(await mediaType(S390X), DOCKER_PLAIN_LAYER);
});

test("an image of the index that was never pulled is an error with a hint", async () => {
  const mine = imageText();
  const index = indexText([[mine, AMD64], [imageText(DOCKER_MANIFEST), S390X]]);
  const indexed = { [`manifest-${digestOf(Buffer.from(index))}`]: index };
  const root = writeStorage([{ name: "app:1", documents: { ...documentsOf(mine), ...indexed } }]);
  const image = `app@${digestOf(Buffer.from(index))}`;
  await assert.rejects(contentIn(root, image, S390X), isError("not_found", /has the index, but/));
});

test("each layer that cannot be verified is warned of once", async () => {
  const log: string[] = [];
  const root = writeStorage([{ name: "app:1", documents: documentsOf(imageText()) }]);
  await using source = await open(root, "app:1", log);
  const image = await resolveImage(source, AMD64, NEVER);
  const { layers } = await contentOf(source, image, NEVER);
  for (const layer of [...layers, ...layers]) assert.equal(source.place!(layer)?.type, "tree");
  assert.equal(log.length, 2);
  for (const message of log) assert.match(message, /cannot be verified$/);
});

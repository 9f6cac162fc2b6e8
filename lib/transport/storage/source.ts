/** The storage of podman, buildah and CRI-O, read from its files: `containers-storage:…` -> `ImageSource`. */

import { DenrootError, throwIfAborted } from "../../errors.ts";
import { DOCKER_MANIFEST, DOCKER_PLAIN_LAYER, OCI_PLAIN_LAYER } from "../../oci/media_types.ts";
import { parseConfig } from "../../oci/parse_config.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest, ImageManifest, StoredDocument } from "../../types/image.ts";
import type { StorageReference } from "../../types/reference.ts";
import type { ImageContent, ImageSource, LocalBlob } from "../../types/source.ts";
import { toDocument } from "../read_document.ts";
import type { SourceContext } from "../source_context.ts";
import { findImage, hasManifest } from "./find_image.ts";
import { Storage, type StoredImage } from "./storage.ts";
import { findStorage } from "../../containers_conf/storage_conf.ts";

/** Throws code `not_found` when there is no storage, or no such image in it. */
export function openContainersStorage(
  reference: StorageReference,
  context: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(context.signal);
  const storage = new Storage(findStorage(reference, context.settings.environment));
  const imageFor = (digest: Digest) =>
    imageOf(storage, findImage(storage, reference.image).image, digest);
  const places = new Map<Digest, LocalBlob>();
  const warned = new Set<Digest>();
  return Promise.resolve({
    uri: formatReference(reference),
    // deno-lint-ignore require-await -- what it throws is to be a rejection
    async root() {
      const { image, digest } = findImage(storage, reference.image);
      return { document: readDocument(storage, image, digest, reference) };
    },
    // deno-lint-ignore require-await -- as above
    document: async ({ digest }) => readDocument(storage, imageFor(digest), digest, reference),
    // deno-lint-ignore require-await -- as above
    contentOf: async ({ digest, manifest }) =>
      unpackedContent(storage, imageFor(digest), manifest, places),
    place({ digest }) {
      const place = places.get(digest);
      if (place?.type === "tree" && !warned.has(digest)) {
        warned.add(digest);
        context.onProgress?.({ type: "log", level: "warn", message: notVerified(digest) });
      }
      return place;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

function readDocument(
  storage: Storage,
  image: StoredImage,
  wanted: Digest | undefined,
  reference: StorageReference,
): StoredDocument {
  const document = storage.document(image, manifestName(image, wanted));
  return toDocument(document.bytes, document, reference.image);
}

/** One platform's image is stored for itself, under the digest of the index too. */
function imageOf(storage: Storage, image: StoredImage, manifest: Digest): StoredImage {
  const found = [image, ...storage.images].find((one) => hasManifest(one, manifest));
  if (found !== undefined) return found;
  throw new DenrootError(
    "not_found",
    `The storage has the index of several platforms' images, but not the image ${manifest} of it`,
    { hint: "Pull the image for the platform with podman pull --platform, or choose with --arch" },
  );
}

/** What was pulled last, unless one was asked for. */
function manifestName(image: StoredImage, wanted: Digest | undefined): string {
  const name = `manifest-${wanted}`;
  return wanted !== undefined && image.documents.has(name) ? name : "manifest";
}

/**
 * What the storage has instead of the stored layers: their tar streams, each under its diffID. Puts
 * into `places` where they are.
 */
function unpackedContent(
  storage: Storage,
  image: StoredImage,
  manifest: ImageManifest,
  places: Map<Digest, LocalBlob>,
): ImageContent {
  const { digest } = manifest.config;
  const config = storage.document(image, digest);
  const { diffIds } = parseConfig(config.bytes);
  const layers = storage.layersOf(image);
  if (layers.length !== diffIds.length || layers.length !== manifest.layers.length) {
    throw new DenrootError(
      "manifest",
      `The storage has ${layers.length} layers of the image, its manifest ` +
        `${manifest.layers.length} and its configuration ${diffIds.length}`,
    );
  }
  places.set(digest, {
    type: "file",
    path: storage.documentPath(image, digest),
    offset: 0,
    checkedBy: "digest",
  });
  const mediaType = manifest.mediaType === DOCKER_MANIFEST ? DOCKER_PLAIN_LAYER : OCI_PLAIN_LAYER;
  const unpacked = layers.map((layer, index): Descriptor => {
    const diffId = diffIds[index]!;
    if (layer.diffId !== undefined && layer.diffId !== diffId) {
      throw new DenrootError(
        "manifest",
        `Layer ${index + 1} in the storage is ${layer.diffId}, ` +
          `but the image's configuration names ${diffId}`,
      );
    }
    places.set(diffId, storage.layerPlace(layer));
    return { mediaType, digest: diffId, size: layer.size };
  });
  return { config: { ...manifest.config, size: config.bytes.length }, layers: unpacked };
}

function notVerified(diffId: Digest): string {
  return `The storage has no recipe (tar-split) of layer ${diffId}: ` +
    "its files are taken as they are, without a digest to hold them against";
}

/** The storage of podman, buildah and CRI-O, read from its files: `containers-storage:…` -> `Source`. */

import { DenrootError, throwIfAborted } from "../../errors.ts";
import { DOCKER_MANIFEST, DOCKER_PLAIN_LAYER, OCI_PLAIN_LAYER } from "../../oci/media_types.ts";
import { parseConfig } from "../../oci/parse_config.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest, Manifest, Platform, ResolvedImage } from "../../types/image.ts";
import type { StorageReference } from "../../types/reference.ts";
import type { LocalBlob, Source } from "../../types/source.ts";
import { followManifests } from "../follow_manifests.ts";
import type { SourceContext } from "../source_context.ts";
import { findImage, hasManifest } from "./find_image.ts";
import { Storage, type StoredImage } from "./storage.ts";
import { findStorage } from "../../containers_conf/storage_conf.ts";

/** Throws code `not_found` when there is no storage, or no such image in it. */
export function openContainersStorage(
  reference: StorageReference,
  context: SourceContext,
): Promise<Source> {
  throwIfAborted(context.signal);
  const storage = new Storage(findStorage(reference, context.settings.environment));
  const places = new Map<Digest, LocalBlob>();
  const warned = new Set<Digest>();
  return Promise.resolve({
    uri: formatReference(reference),
    resolve: (platform, signal) => resolveImage(storage, reference, platform, places, signal),
    local({ digest }) {
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

/** Puts into `places` where the image's blobs are. */
async function resolveImage(
  storage: Storage,
  reference: StorageReference,
  platform: Platform,
  places: Map<Digest, LocalBlob>,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const found = findImage(storage, reference.image);
  let { image } = found;
  const outermost = storage.document(image, manifestName(image, found.digest));
  const read = (digest: Digest) => {
    if (digest === outermost.digest) return outermost.bytes;
    image = imageOf(storage, image, digest);
    return storage.document(image, manifestName(image, digest)).bytes;
  };
  const resolved = await followManifests(
    outermost.digest,
    { path: reference.image, read: (digest) => Promise.try(read, digest) },
    platform,
    signal,
  );
  const manifest = withUnpackedLayers(storage, image, resolved.manifest, places);
  return { ...resolved, manifest };
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
 * The manifest with what the storage has instead of the stored layers: their tar streams, each under
 * its diffID.
 */
function withUnpackedLayers(
  storage: Storage,
  image: StoredImage,
  manifest: Manifest,
  places: Map<Digest, LocalBlob>,
): Manifest {
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
  return {
    ...manifest,
    config: { ...manifest.config, size: config.bytes.length },
    layers: unpacked,
  };
}

function notVerified(diffId: Digest): string {
  return `The storage has no recipe (tar-split) of layer ${diffId}: ` +
    "its files are taken as they are, without a digest to hold them against";
}

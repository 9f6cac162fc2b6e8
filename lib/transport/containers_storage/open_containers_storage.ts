/** The storage of podman, buildah and CRI-O, read from its files: `containers-storage:…` -> `Source`. */

import { DenrootError } from "../../errors.ts";
import { choosePlatform } from "../../oci/choose_platform.ts";
import { DOCKER_MANIFEST } from "../../oci/media_types.ts";
import { parseConfig } from "../../oci/parse_config.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type {
  Descriptor,
  Digest,
  LocalBlob,
  Manifest,
  Platform,
  ResolvedImage,
  Source,
  StorageReference,
  StoredDocument,
} from "../../types.ts";
import { throwIfAborted } from "../aborted.ts";
import type { SourceContext } from "../source_context.ts";
import { findImage, type FoundImage, hasManifest } from "./find_image.ts";
import { Storage, type StoredImage } from "./storage.ts";
import { findStorage } from "./storage_conf.ts";

const MAX_INDEX_DEPTH = 4;
const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";

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
    resolve: (platform) =>
      Promise.try(() =>
        resolveImage(storage, findImage(storage, reference.image), platform, places)
      ),
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
function resolveImage(
  storage: Storage,
  found: FoundImage,
  platform: Platform,
  places: Map<Digest, LocalBlob>,
): ResolvedImage {
  const documents: StoredDocument[] = [];
  let { image, digest: wanted } = found;
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    const { digest, bytes } = storage.document(image, manifestName(image, wanted));
    const parsed = parseManifestOrIndex(bytes);
    documents.push({ digest, bytes, mediaType: mediaTypeOf(parsed) });
    if (parsed.kind === "manifest") {
      const manifest = withUnpackedLayers(storage, image, parsed.manifest, places);
      return { digest, manifest, documents };
    }
    wanted = choosePlatform(parsed.index.manifests, platform).digest;
    image = imageOf(storage, image, wanted);
  }
  throw new DenrootError("limit", `The image has indexes deeper than ${MAX_INDEX_DEPTH}`);
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
  const mediaType = manifest.mediaType === DOCKER_MANIFEST ? DOCKER_LAYER : OCI_LAYER;
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

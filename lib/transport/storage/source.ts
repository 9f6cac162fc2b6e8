/** Reads an image from the files of the storage of podman, buildah and CRI-O: `containers-storage:…`. */

import { DenrootError, throwIfAborted } from "../../errors.ts";
import { DOCKER_MANIFEST, DOCKER_PLAIN_LAYER, OCI_PLAIN_LAYER } from "../../oci/media_types.ts";
import { verifySize } from "../../oci/digest.ts";
import { parseConfig } from "../../oci/parse_config.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest, ImageManifest, StoredDocument } from "../../types/image.ts";
import type { StorageReference } from "../../types/reference.ts";
import type { ImageContent, ImageSource, LocalBlob } from "../../types/source.ts";
import { toDocument } from "../read_document.ts";
import type { SourceContext } from "../source_context.ts";
import { findImage, hasManifest } from "./find_image.ts";
import type { StoredImage } from "./records.ts";
import { Storage } from "./storage.ts";
import { findStorage } from "../../containers_conf/storage_conf.ts";

/** Throws what `findStorage` and the {@link Storage} throw. */
export function openContainersStorage(
  reference: StorageReference,
  context: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(context.signal);
  const storage = new Storage(findStorage(reference, context.settings.environment));
  const imageFor = (digest: Digest) =>
    imageOf(storage, findImage(storage, reference.image).image, digest);
  const localBlobs = new Map<Digest, LocalBlob>();
  const warned = new Set<Digest>();
  return Promise.resolve({
    reference,
    uri: formatReference(reference),
    // deno-lint-ignore require-await -- turns a thrown error into a rejection
    async root() {
      const { image, digest } = findImage(storage, reference.image);
      return { document: readDocument(storage, image, digest, reference) };
    },
    // deno-lint-ignore require-await -- as above
    async document({ digest, size }) {
      const document = readDocument(storage, imageFor(digest), digest, reference);
      verifySize(document.bytes, size, `The manifest ${digest}`);
      return document;
    },
    // deno-lint-ignore require-await -- as above
    contentOf: async ({ digest, manifest }) =>
      unpackedContent(storage, imageFor(digest), manifest, localBlobs),
    place({ digest }) {
      const blob = localBlobs.get(digest);
      if (blob?.type === "tree" && !warned.has(digest)) {
        warned.add(digest);
        context.onProgress?.({ type: "log", level: "warn", message: notVerified(digest) });
      }
      return blob;
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

/**
 * Finds the image that has the manifest: `image` itself, or another one of the storage. Each platform
 * of an index is an image of its own, and each of them has the digest of the index too.
 */
function imageOf(storage: Storage, image: StoredImage, manifest: Digest): StoredImage {
  const found = [image, ...storage.images].find((one) => hasManifest(one, manifest));
  if (found !== undefined) return found;
  throw new DenrootError(
    "not_found",
    `The storage has the index, but not the image ${manifest}, which the index has for the platform`,
    { hint: "Pull that image with podman pull --platform, or choose another platform with --arch" },
  );
}

/** Without a digest, the manifest that was pulled last counts. */
function manifestName(image: StoredImage, wanted: Digest | undefined): string {
  const name = `manifest-${wanted}`;
  return wanted !== undefined && image.documents.has(name) ? name : "manifest";
}

/**
 * Describes the layers as the storage has them: unpacked, each with its diffID as its digest. Puts
 * into `localBlobs` where they are.
 */
function unpackedContent(
  storage: Storage,
  image: StoredImage,
  manifest: ImageManifest,
  localBlobs: Map<Digest, LocalBlob>,
): ImageContent {
  const { digest } = manifest.config;
  const config = storage.document(image, digest);
  const { diffIds } = parseConfig(config.bytes);
  const layers = storage.layersOf(image);
  if (layers.length !== diffIds.length || layers.length !== manifest.layers.length) {
    throw new DenrootError(
      "manifest",
      `The storage has ${layers.length} layers of the image, but its manifest names ` +
        `${manifest.layers.length} and its configuration ${diffIds.length}`,
    );
  }
  localBlobs.set(digest, {
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
        `Layer ${index + 1}/${layers.length} in the storage has the diffID ${layer.diffId}, ` +
          `but the image's configuration names ${diffId}`,
      );
    }
    localBlobs.set(diffId, storage.unpackedLayer(layer));
    return { mediaType, digest: diffId, size: layer.size };
  });
  return { config: { ...manifest.config, size: config.bytes.length }, layers: unpacked };
}

function notVerified(diffId: Digest): string {
  return `The storage has no tar-split recipe for layer ${diffId}: ` +
    "the layer's files are used, but cannot be verified";
}

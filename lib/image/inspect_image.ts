/** Describes an image without fetching its layers. */

import { isAttestation, isUsable } from "../oci/choose_platform.ts";
import { isIndexType } from "../oci/media_types.ts";
import { type HistoryEntry, type ImageDetails, parseDetails } from "../oci/parse_details.ts";
import { parseIndex } from "../oci/parse_manifest.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type {
  Descriptor,
  Digest,
  PlannedLayer,
  Platform,
  ResolvedImage,
  StoredDocument,
} from "../types/image.ts";
import type { BlobStore, ImageSource } from "../types/source.ts";
import { estimateImageBytes } from "./estimate_image.ts";
import { type ImageContext, type ImageOptions, withSource } from "./image_options.ts";
import { checkPlatform } from "./platform.ts";
import { readConfig } from "./read_config.ts";
import { planReading } from "./read_plan.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

/** An image's documents, and what an import of the image would fetch. */
export interface ImageInspection {
  /** The canonical reference. */
  readonly uri: string;
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The indexes on the way to the manifest, if there are any, outermost first; then the manifest. */
  readonly documents: readonly StoredDocument[];
  /** The images that the indexes list; empty when there is no index. */
  readonly offers: readonly PlatformOffer[];
  /** The configuration's stored bytes. */
  readonly configBytes: Uint8Array;
  readonly config: ImageDetails;
  /** Base first. */
  readonly layers: readonly InspectedLayer[];
  /** The configuration's history, each entry with the layer that it made. */
  readonly steps: readonly HistoryStep[];
  /** All tags of the image's place; absent when further requests would be needed to list them. */
  readonly tags?: readonly string[];
  readonly sizes: ImageSizes;
}

export interface PlatformOffer {
  readonly platform: Platform;
  readonly digest: Digest;
}

export interface InspectedLayer extends PlannedLayer {
  readonly origin: BlobOrigin;
}

/**
 * Where an import would find a blob: `local` is the image's own place on this machine; a `missing`
 * blob would be fetched.
 */
export type BlobOrigin = "local" | "cache" | "missing";

export interface HistoryStep extends HistoryEntry {
  /**
   * The position in `layers` of the layer that the step made, counted from 0. Absent when the step
   * made none, and when the history does not match the layers.
   */
  readonly layer?: number;
}

/** Sizes in bytes. They add up the stored layers and configuration, and count each blob once. */
export interface ImageSizes {
  /** All of them: `local`, `cached` and `missing` together. */
  readonly stored: number;
  /** The blobs that the image's place has on this machine. */
  readonly local: number;
  /** The blobs that are in the cache. */
  readonly cached: number;
  /** The blobs that an import would fetch and put into the cache. */
  readonly missing: number;
  /** An estimate of the size of the image file: see `estimateImageBytes`. */
  readonly estimatedImage: number;
}

/**
 * Inspects the image that `uri` names. Its manifest and configuration are fetched and verified; its
 * layers are not fetched. Nothing is written to the cache, except by a transport that can only be
 * read as one stream.
 *
 * Throws {@link DenrootError}, with code `aborted` when `signal` aborts.
 */
export async function inspectImage(
  uri: string,
  options: ImageOptions = {},
): Promise<ImageInspection> {
  return await withSource(uri, options, inspectSource);
}

/** Like {@link inspectImage}, for a source that is open. */
export async function inspectSource(
  source: ImageSource,
  context: ImageContext & SourceContext,
): Promise<ImageInspection> {
  const { settings, blobs, platform, signal } = context;
  const image = await resolveImage(source, platform, signal);
  const content = await contentOf(source, image, signal);
  const configBytes = await readConfig(source, content, context);
  const config = parseDetails(configBytes);
  const plan = planReading(config, content.layers);
  checkPlatform(config, image, context);
  const originOf = (blob: Descriptor) => findBlob(blob, source, blobs);
  const tags = source.blob === undefined ? await source.tags?.(signal) : undefined;
  return {
    uri: source.uri,
    digest: image.digest,
    documents: image.documents,
    offers: offersOf(image),
    configBytes,
    config,
    layers: plan.layers.map((layer) => ({ ...layer, origin: originOf(layer.descriptor) })),
    steps: matchHistory(config.history, content.layers.length),
    ...(tags && { tags }),
    sizes: {
      ...addUp([content.config, ...content.layers], originOf),
      estimatedImage: estimateImageBytes(content.layers, settings.squashOptions),
    },
  };
}

function findBlob(blob: Descriptor, source: ImageSource, cache: BlobStore): BlobOrigin {
  if (source.place?.(blob) !== undefined) return "local";
  return cache.find(blob) === undefined ? "missing" : "cache";
}

function offersOf({ documents }: ResolvedImage): readonly PlatformOffer[] {
  return documents.filter(({ mediaType }) => isIndexType(mediaType))
    .flatMap(({ bytes, mediaType }) => parseIndex(bytes, mediaType).manifests)
    .filter((entry) => isUsable(entry) && !isAttestation(entry))
    .flatMap(({ platform, digest }) => platform === undefined ? [] : [{ platform, digest }]);
}

/** A builder that squashes layers leaves a history that does not match the layers any more. */
function matchHistory(
  history: readonly HistoryEntry[],
  layerCount: number,
): readonly HistoryStep[] {
  const made = history.filter(({ emptyLayer }) => !emptyLayer).length;
  if (made !== layerCount) return history;
  let layer = 0;
  return history.map((entry) => entry.emptyLayer ? entry : { ...entry, layer: layer++ });
}

function addUp(
  blobs: readonly Descriptor[],
  originOf: (blob: Descriptor) => BlobOrigin,
): Omit<ImageSizes, "estimatedImage"> {
  const sums = { local: 0, cache: 0, missing: 0 };
  for (const blob of new Map(blobs.map((blob) => [blob.digest, blob])).values()) {
    sums[originOf(blob)] += blob.size;
  }
  const { local, cache: cached, missing } = sums;
  return { stored: local + cached + missing, local, cached, missing };
}

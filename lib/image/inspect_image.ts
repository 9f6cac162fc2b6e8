/** What an image is, before any of its layers is fetched. */

import { isAttestation } from "../oci/choose_platform.ts";
import { isIndexType } from "../oci/media_types.ts";
import { MAX_CONFIG_SIZE } from "../oci/parse_config.ts";
import { type HistoryEntry, type ImageDetails, parseDetails } from "../oci/parse_details.ts";
import { parseIndex } from "../oci/parse_manifest.ts";
import { readBlob } from "../store/read_blob.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type {
  Descriptor,
  Digest,
  PlannedLayer,
  Platform,
  ResolvedImage,
  StoredDocument,
} from "../types/image.ts";
import type { BlobStore, ImageContent, ImageSource } from "../types/source.ts";
import { estimateImageBytes } from "./estimate_image.ts";
import { type ImageOptions, withSource } from "./image_options.ts";
import { warnOfMismatch } from "./platform.ts";
import { planReading } from "./read_plan.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

export type { HistoryEntry, ImageDetails };

/** An image's documents, and what an import of it would fetch. */
export interface ImageInspection {
  /** The canonical reference. */
  readonly uri: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  /** What led to the manifest, outermost first: indexes, if any, and the manifest. */
  readonly documents: readonly StoredDocument[];
  /** The images that the indexes list; none without an index. */
  readonly offers: readonly PlatformOffer[];
  /** The configuration's stored bytes. */
  readonly configBytes: Uint8Array;
  readonly config: ImageDetails;
  /** Base first. */
  readonly layers: readonly InspectedLayer[];
  /** The configuration's history, each entry with the layer that it made. */
  readonly steps: readonly HistoryStep[];
  /** What else lies in the same place; absent where to know it would take further requests. */
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

/** Where an import would find a blob: in the image's own place on this machine, or in the cache. */
export type BlobOrigin = "local" | "cache" | "missing";

export interface HistoryStep extends HistoryEntry {
  /** Its place in `layers`; absent when it made none, or when history and layers do not match. */
  readonly layer?: number;
}

/** In bytes, of the layers and the configuration as they are stored; each blob counts once. */
export interface ImageSizes {
  readonly stored: number;
  readonly local: number;
  readonly cached: number;
  /** What an import would fetch and put into the cache. */
  readonly missing: number;
  /** A guess at the image file: see `estimateImageBytes`. */
  readonly estimatedImage: number;
}

/**
 * Looks at the image that `uri` names: its manifest and configuration are fetched and verified, no
 * layer is, and nothing is written to the cache (but what a transport can only stream).
 *
 * Throws {@link DenrootError}: code `aborted` when `signal` aborts.
 */
export async function inspectImage(
  uri: string,
  options: ImageOptions = {},
): Promise<ImageInspection> {
  return await withSource(uri, options, inspectSource);
}

/** As {@link inspectImage}, of a source that is open. */
export async function inspectSource(
  source: ImageSource,
  context: Required<SourceContext>,
): Promise<ImageInspection> {
  const { settings, blobs, platform, onProgress, signal } = context;
  const image = await resolveImage(source, platform, signal);
  const content = await contentOf(source, image, signal);
  const configBytes = await readConfig(source, content, context);
  const config = parseDetails(configBytes);
  const plan = planReading(config, content.layers);
  warnOfMismatch(platform, config, onProgress);
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

function readConfig(
  source: ImageSource,
  { config }: ImageContent,
  { blobs, signal }: SourceContext,
): Promise<Uint8Array> {
  return readBlob(config, {
    source,
    cache: blobs,
    name: "The image's configuration",
    maxBytes: MAX_CONFIG_SIZE,
    signal,
  });
}

function findBlob(blob: Descriptor, source: ImageSource, cache: BlobStore): BlobOrigin {
  if (source.place?.(blob) !== undefined) return "local";
  return cache.find(blob) === undefined ? "missing" : "cache";
}

function offersOf({ documents }: ResolvedImage): readonly PlatformOffer[] {
  return documents.filter(({ mediaType }) => isIndexType(mediaType))
    .flatMap(({ bytes, mediaType }) => parseIndex(bytes, mediaType).manifests)
    .filter((entry) => !isAttestation(entry))
    .flatMap(({ platform, digest }) => platform === undefined ? [] : [{ platform, digest }]);
}

/** Builders that squash layers leave a history that says nothing of them any more. */
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

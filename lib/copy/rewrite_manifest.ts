/** Changes the manifest of one image: its format, and how its layers are stored. */

import { DenrootError } from "../errors.ts";
import { readConfig } from "../image/read_config.ts";
import { digestOf } from "../oci/digest.ts";
import { isObject, type JsonObject, parseJsonObject } from "../oci/json_fields.ts";
import { parseConfig } from "../oci/parse_config.ts";
import type { Descriptor, Digest, Manifest, StoredDocument } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";
import { compressLayer, type MadeLayer } from "./compress_layer.ts";
import {
  compressionIn,
  CONFIG_TYPES,
  formatOf,
  type ImageFormat,
  type LayerCompression,
  layerType,
  MANIFEST_TYPES,
} from "./image_format.ts";
import { inParallel } from "./in_parallel.ts";
import type { CopyBlob, CopyCache } from "./open_stored_blob.ts";

export interface Changes {
  readonly format?: ImageFormat | undefined;
  readonly compression?: LayerCompression | undefined;
  /** Whether zstd layers become gzip, because the destination's readers know no zstd. */
  readonly noZstd: boolean;
}

export interface RewriteContext {
  readonly source: ImageSource;
  readonly cache: CopyCache;
  readonly changes: Changes;
  /** Gets what was made, with the file that has it. */
  readonly made: Map<Digest, CopyBlob>;
  /** Layers that were made anew, by the digest that the source has for them. */
  readonly layers: Map<Digest, Promise<MadeLayer>>;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** Layers that are compressed at the same time: each takes a processor. */
const AT_ONCE = 4;

/** Gives the document itself when nothing has to change. */
export async function rewriteManifest(
  document: StoredDocument,
  manifest: Manifest,
  content: ImageContent,
  context: RewriteContext,
): Promise<StoredDocument> {
  const { changes, signal } = context;
  const format = changes.format ?? formatOf(document.mediaType);
  const isFormat = format === formatOf(document.mediaType);
  const actions = manifest.layers.map((layer, index) =>
    compressionFor(layer, content.layers[index]!, format, changes)
  );
  if (isFormat && actions.every((action) => action === undefined)) return document;

  const compressed = [...actions.keys()].filter((index) => actions[index] !== undefined);
  if (compressed.length > 0) {
    tell(compressed.map((index) => content.layers[index]!), document, context);
  }
  const diffIds = compressed.length > 0 ? await readDiffIds(content, context) : [];
  const layers = await inParallel(
    [...manifest.layers.keys()],
    AT_ONCE,
    signal,
    (index, signal) =>
      changedLayer(manifest.layers[index]!, {
        stored: content.layers[index]!,
        compression: actions[index],
        diffId: diffIds[index],
        progressIndex: compressed.indexOf(index),
        format,
        context: { ...context, signal },
      }),
  );
  const config = await changedConfig(manifest.config!, content, layers, context);
  return changedDocument(document, format, config, layers);
}

/** It takes as long as a processor needs, and no bytes are sent meanwhile. */
function tell(
  layers: readonly Descriptor[],
  { digest }: StoredDocument,
  { onProgress }: RewriteContext,
): void {
  const count = layers.length;
  const message = `Compressing ${count} ${count === 1 ? "layer" : "layers"} of ${digest}`;
  onProgress({ type: "log", level: "info", message });
  onProgress({ type: "reading", blobs: layers });
}

interface ChangedLayer {
  readonly descriptor: Pick<Descriptor, "mediaType" | "digest" | "size">;
  /** Present when the stored bytes were made anew. */
  readonly made?: MadeLayer;
}

/** How the layer has to be compressed; undefined when its stored bytes stay. */
function compressionFor(
  layer: Descriptor,
  stored: Descriptor,
  format: ImageFormat,
  { compression, noZstd }: Changes,
): LayerCompression | undefined {
  if (stored.digest !== layer.digest || stored.size !== layer.size) return compression ?? "gzip";
  // A saved image's layers are plain whatever their manifest says.
  const current = compressionIn(stored.mediaType);
  if (current === undefined) return undefined;
  if (compressionIn(layer.mediaType) !== current) return compression ?? "gzip";
  if (compression !== undefined) return compression === current ? undefined : compression;
  return current === "zstd" && (noZstd || format === "docker") ? "gzip" : undefined;
}

async function readDiffIds(
  content: ImageContent,
  { source, cache, signal }: RewriteContext,
): Promise<readonly Digest[]> {
  const bytes = await readConfig(source, content, { blobs: cache, signal });
  const { diffIds } = parseConfig(bytes);
  if (diffIds.length === content.layers.length) return diffIds;
  throw new DenrootError(
    "manifest",
    `The image's configuration names ${diffIds.length} layers, but its manifest names ` +
      `${content.layers.length}`,
  );
}

interface LayerChange {
  readonly stored: Descriptor;
  readonly compression: LayerCompression | undefined;
  readonly diffId: Digest | undefined;
  /** The layer's index among those that are compressed. */
  readonly progressIndex: number;
  readonly format: ImageFormat;
  readonly context: RewriteContext;
}

async function changedLayer(layer: Descriptor, change: LayerChange): Promise<ChangedLayer> {
  const { stored, compression, diffId, progressIndex: index, format, context } = change;
  if (compression === undefined) {
    const current = compressionIn(layer.mediaType);
    const mediaType = current === undefined ? layer.mediaType : layerType(format, current);
    return { descriptor: { ...layer, mediaType } };
  }
  const mediaType = layerType(format, compression);
  const { layers, source, cache, signal, made: allMade, onProgress } = context;
  const { size } = stored;
  const onBytes = (position: number) =>
    onProgress({ type: "blob", index, size, sent: Math.min(position, size) });
  const options = { source, cache, compression, diffId: diffId!, onBytes, signal };
  const making = layers.get(stored.digest) ?? compressLayer(stored, options);
  layers.set(stored.digest, making);
  const made = await making;
  onBytes(size);
  if (made.diffId !== diffId && !made.isNew) {
    throw new DenrootError(
      "digest",
      `The content of layer ${stored.digest} is ${made.diffId} instead of ${diffId}`,
    );
  }
  const descriptor = { mediaType, digest: made.digest, size: made.size };
  allMade.set(made.digest, { descriptor, file: made.file });
  return { descriptor, made };
}

/** The configuration stays, unless it has to name other diffIDs. */
async function changedConfig(
  config: Descriptor,
  content: ImageContent,
  layers: readonly ChangedLayer[],
  { source, cache, signal, made }: RewriteContext,
): Promise<Pick<Descriptor, "digest" | "size">> {
  if (!layers.some((layer) => layer.made?.isNew)) return config;
  const bytes = await readConfig(source, content, { blobs: cache, signal });
  const old = parseJsonObject(bytes, "The image's configuration");
  const oldIds = parseConfig(bytes).diffIds;
  const diff_ids = layers.map((layer, index) => layer.made?.diffId ?? oldIds[index]);
  const rootfs = { ...(isObject(old.rootfs) ? old.rootfs : {}), diff_ids };
  const changed = new TextEncoder().encode(JSON.stringify({ ...old, rootfs }));
  const writer = cache.spool();
  try {
    writer.write(changed);
    const { digest, size } = await writer.commit();
    const descriptor = { mediaType: config.mediaType, digest, size };
    made.set(digest, { descriptor, file: cache.find({ digest, size })! });
    return descriptor;
  } finally {
    writer.close();
  }
}

function changedDocument(
  { bytes }: StoredDocument,
  format: ImageFormat,
  config: Pick<Descriptor, "digest" | "size">,
  layers: readonly ChangedLayer[],
): StoredDocument {
  const old = parseJsonObject(bytes, "The manifest");
  const mediaType = MANIFEST_TYPES[format];
  const oldLayers = old.layers as readonly JsonObject[];
  const isDocker = format === "docker";
  const { digest, size } = config;
  const manifest = {
    ...(isDocker ? { schemaVersion: 2 } : old),
    mediaType,
    config: {
      ...kept(old.config as JsonObject, isDocker),
      mediaType: CONFIG_TYPES[format],
      digest,
      size,
    },
    layers: layers.map(({ descriptor: { mediaType, digest, size }, made }, index) => ({
      ...kept(oldLayers[index]!, isDocker || made !== undefined),
      mediaType,
      digest,
      size,
    })),
  };
  const text = new TextEncoder().encode(JSON.stringify(manifest));
  return { mediaType, digest: digestOf(text), bytes: text };
}

/** Docker's format has no annotations; and what describes other bytes would be wrong. */
function kept(descriptor: JsonObject, isOther: boolean): JsonObject {
  return isOther ? {} : descriptor;
}

/** An image's blobs, fetched and packed while they arrive: into an image file, or into a directory. */

import { existsSync } from "node:fs";
import { ownFiles } from "../enroot/own_files.ts";
import { hasCode, throwIfAborted } from "../errors.ts";
import { requireImage, requireReadableLayers } from "../oci/require_image.ts";
import type { PackOutput } from "../pack/pack_job.ts";
import { packLayers } from "../pack/pack_layers.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { BlobFetcher, type ReadableBlob } from "../store/blob_fetcher.ts";
import { openCache } from "../store/open_cache.ts";
import { UnusableBlob } from "../store/unusable_blob.ts";
import { systemFiles } from "../system/host/system_files.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest, ResolvedImage } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";
import { aheadBytes } from "./ahead_bytes.ts";
import { blobName } from "./blob_name.ts";
import { checkSpace } from "./check_space.ts";
import { fetchConfig } from "./fetch_config.ts";
import type { ImageContext } from "./image_options.ts";
import { creationTime } from "./image_time.ts";
import { checkPlatform } from "./platform.ts";
import { planReading } from "./read_plan.ts";
import { reportLayers } from "./report_layers.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

/** Where a packed image goes. */
export interface PackingPlace {
  /** The directory that needs the room. Layers are kept there when the cache cannot be written. */
  readonly directory: string;
  /** How another directory can be chosen, where that one is too small: a part of a sentence. */
  readonly elsewhere: string;
  /** What is made, when the image's own time is known: seconds since 1970. */
  readonly output: (created: number) => PackOutput;
  /** At least 1. */
  readonly processors: number;
}

/** What became of an image. */
export interface PackedImage {
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The canonical reference, which the image also has in `/.enroot/source`. */
  readonly uri: string;
  /** The size of the image file; 0 for a directory. */
  readonly bytes: number;
}

/** How many times an image is tried with one blob whose bytes turn out to be damaged. */
const MAX_ATTEMPTS = 3;

/** Throws `DenrootError`, with code `aborted` when the context's signal aborts. */
export async function packImage(
  reference: Reference,
  target: PackingPlace,
  context: ImageContext,
): Promise<PackedImage> {
  const { settings, platform, onProgress, signal } = context;
  using opened = openCache(settings, target.directory, onProgress);
  const { cache } = opened;
  await using source = await openSource(reference, { ...context, blobs: cache });
  const image = await resolveImage(source, platform, signal);
  const bytes = await packResolved(image, target, { ...context, source, cache });
  return { digest: image.digest, uri: source.uri, bytes };
}

export interface PackingContext extends ImageContext {
  readonly source: ImageSource;
  readonly cache: BlobCache;
}

/** As {@link packImage}, for an image that was found already. Gives the size of the image file. */
export async function packResolved(
  image: ResolvedImage,
  target: PackingPlace,
  context: PackingContext,
): Promise<number> {
  const { source, cache, signal, onProgress } = context;
  requireReadableLayers(requireImage(image.manifest));
  const content = await contentOf(source, image, signal);
  checkSpace(content, cache, source, target);
  onProgress({ type: "resolved", digest: image.digest, layers: content.layers });
  return await withFreshBlobs(
    cache,
    context,
    () => fetchAndPack(image, content, target, context),
  );
}

/** Gives the size of the image in bytes. */
async function fetchAndPack(
  image: ResolvedImage,
  content: ImageContent,
  target: PackingPlace,
  context: PackingContext,
): Promise<number> {
  const { settings, source, signal, onProgress } = context;
  const fetcher = fetchContent(content, context);
  try {
    const config = await fetchConfig(content.config, fetcher);
    const plan = planReading(config, content.layers);
    checkPlatform(config, image, context);
    const created = settings.sourceDateEpoch ?? creationTime(config.created);
    return await packLayers({
      output: target.output(created),
      processors: target.processors,
      aheadBytes: aheadBytes(settings, systemFiles),
      plan,
      ownFiles: ownFiles(config, source.uri),
      nameOf: (descriptor) => blobName(content, descriptor),
      fetcher,
      defaultTime: created,
      allTime: settings.sourceDateEpoch,
      maxBytes: settings.maxImageBytes,
      signal,
      onProgress,
    });
  } finally {
    await fetcher.close();
  }
}

/** Begins to fetch the image's blobs, the topmost layer first, because it is packed first. */
function fetchContent(
  content: ImageContent,
  { settings, source, cache, signal, onProgress }: PackingContext,
): BlobFetcher {
  const report = reportLayers(content.layers, onProgress);
  return new BlobFetcher([content.config, ...content.layers.toReversed()], {
    source,
    cache,
    connections: settings.maxConnections,
    signal,
    onReceived: report.received,
    onFound: report.found,
    onLog: (message) => onProgress({ type: "log", level: "info", message }),
    nameOf: (descriptor) => blobName(content, descriptor),
  });
}

/** Removes damaged bytes from the cache and tries again. An image that is faulty itself fails. */
async function withFreshBlobs(
  cache: BlobCache,
  { signal, onProgress }: ImageContext,
  attempt: () => Promise<number>,
): Promise<number> {
  const failures = new Map<string, number>();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(signal);
      const cause = error instanceof UnusableBlob ? error.cause : error;
      if (!isDamaged(error)) throw cause;
      removeDamaged(error, cache);
      // Each blob has its own attempts: any number of them may be damaged in a cache.
      const digest = error instanceof UnusableBlob ? error.readable.descriptor.digest : "";
      const count = (failures.get(digest) ?? 0) + 1;
      if (count === MAX_ATTEMPTS) throw cause;
      failures.set(digest, count);
      onProgress({
        type: "log",
        level: "warn",
        message: `${(cause as Error).message}; fetching it again`,
      });
    }
  }
}

/** Whether another transfer can help: the cached copy or the transfer was at fault, or it is gone. */
function isDamaged(error: unknown): boolean {
  return error instanceof UnusableBlob
    ? error.readable.origin === "cache" || isGone(error.readable)
    : hasCode(error, "digest");
}

/** Whether a blob that this import fetched was removed from the cache before its last reading. */
function isGone({ place }: ReadableBlob): boolean {
  return place.type === "download" && !place.paths.some((path) => existsSync(path));
}

function removeDamaged(error: unknown, cache: BlobCache): void {
  if (error instanceof UnusableBlob) cache.remove(error.readable.descriptor.digest);
}

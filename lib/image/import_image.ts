/** Imports a container image as an enroot image: denroot's main operation. */

import { existsSync } from "node:fs";
import path from "node:path";
import { hasCode, throwIfAborted } from "../errors.ts";
import { ownFiles } from "../enroot/own_files.ts";
import { requireImage, requireReadableLayers } from "../oci/require_image.ts";
import { packLayers } from "../pack/pack_layers.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { schemeOf } from "../reference/schemes.ts";
import { type Limits, memoryLimit, processorsWithin, readLimits } from "../system/host/limits.ts";
import { systemFiles } from "../system/host/system_files.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { checkSquashOptions } from "../squashfs/check_squash_options.ts";
import { BlobFetcher, type ReadableBlob } from "../store/blob_fetcher.ts";
import { openCache } from "../store/open_cache.ts";
import { UnusableBlob } from "../store/unusable_blob.ts";
import { findMksquashfs, findUnsquashfs, type Mksquashfs } from "../tools/find_tools.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest, ResolvedImage } from "../types/image.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";
import { blobName } from "./blob_name.ts";
import { checkOutput, outputPath } from "./check_output.ts";
import { checkProcesses } from "./check_processes.ts";
import { checkSpace } from "./check_space.ts";
import { fetchConfig } from "./fetch_config.ts";
import { type ImageContext, imageContext, type ImageOptions } from "./image_options.ts";
import { creationTime, imageTime } from "./image_time.ts";
import { checkPlatform } from "./platform.ts";
import { planReading } from "./read_plan.ts";
import { reportLayers } from "./report_layers.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

export interface ImportOptions extends ImageOptions {
  /**
   * The path of the image; symbolic links are followed. By default it is in the current directory,
   * named after the reference.
   */
  readonly output?: string | undefined;
  /** Whether to replace an existing output. */
  readonly force?: boolean | undefined;
  /** Whether to read the finished image back and compare it with what was packed. */
  readonly verify?: boolean | undefined;
}

export interface ImportResult {
  /** The image's absolute path, without symbolic links. */
  readonly output: string;
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The canonical reference, which the image also has in `/.enroot/source`. */
  readonly uri: string;
  /** The size of the image. */
  readonly bytes: number;
  /** How long the import took. */
  readonly seconds: number;
}

/** How many times an import is tried with one blob whose bytes turn out to be damaged. */
const MAX_ATTEMPTS = 3;

/**
 * Imports the image that `uri` names as an enroot image. The output appears whole, or not at all.
 *
 * Throws {@link DenrootError}, with code `aborted` when `signal` aborts.
 */
export async function importImage(
  uri: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const started = performance.now();
  const reference = parseReference(uri);
  const context = await imageContext(options);
  const { settings, platform, onProgress, signal } = context;
  const output = outputPath(options.output ?? defaultOutputName(reference));
  const force = options.force ?? settings.forceOverride;
  checkOutput(output, { force, inputs: schemeOf(reference).localFiles?.(reference) ?? [] });
  const limits = readLimits(systemFiles);
  checkProcesses();
  checkSquashOptions(settings.squashOptions);
  using mksquashfs = await findMksquashfs(settings);
  using unsquashfs = options.verify ? await findUnsquashfs(settings) : undefined;

  using opened = openCache(settings, path.dirname(output), onProgress);
  const { cache } = opened;
  await using source = await openSource(reference, { ...context, blobs: cache });
  const image = await resolveImage(source, platform, signal);
  requireReadableLayers(requireImage(image.manifest));
  const content = await contentOf(source, image, signal);
  checkSpace(content, cache, source, output);
  onProgress({ type: "resolved", digest: image.digest, layers: content.layers });

  const bytes = await withFreshBlobs(cache, context, () =>
    fetchAndPack(image, content, {
      ...context,
      source,
      cache,
      mksquashfs,
      verifyWith: unsquashfs?.path,
      output,
      force,
      limits,
    }));
  const seconds = (performance.now() - started) / 1000;
  return { output, digest: image.digest, uri: source.uri, bytes, seconds };
}

interface PackingContext extends ImageContext {
  readonly source: ImageSource;
  readonly cache: BlobCache;
  readonly mksquashfs: Mksquashfs;
  readonly verifyWith: string | undefined;
  readonly output: string;
  readonly force: boolean;
  readonly limits: Limits;
}

/** Gives the size of the image in bytes. */
async function fetchAndPack(
  image: ResolvedImage,
  content: ImageContent,
  context: PackingContext,
): Promise<number> {
  const { settings, source, mksquashfs, limits, signal, onProgress } = context;
  const fetcher = fetchContent(content, context);
  try {
    const config = await fetchConfig(content.config, fetcher);
    const plan = planReading(config, content.layers);
    checkPlatform(config, image, context);
    const created = settings.sourceDateEpoch ?? creationTime(config.created);
    return await packLayers({
      target: context.output,
      plan,
      ownFiles: ownFiles(config, source.uri),
      nameOf: (descriptor) => blobName(content, descriptor),
      fetcher,
      squash: {
        mksquashfs,
        squashOptions: settings.squashOptions,
        processors: processorsWithin(limits, settings.maxProcessors),
        savesMemory: memoryLimit(limits) !== undefined,
        time: settings.sourceDateEpoch ?? imageTime(created, mksquashfs),
        force: context.force,
      },
      defaultTime: created,
      allTime: settings.sourceDateEpoch,
      maxBytes: settings.maxImageBytes,
      verifyWith: context.verifyWith,
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

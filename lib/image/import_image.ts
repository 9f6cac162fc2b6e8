/** The sentence that denroot is about. */

import path from "node:path";
import { hasCode, throwIfAborted } from "../errors.ts";
import { ownFiles } from "../enroot/own_files.ts";
import { requireImage, requireReadableLayers } from "../oci/require_image.ts";
import { LayerFailure, packLayers } from "../pack/pack_layers.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { schemeOf } from "../reference/schemes.ts";
import { type Limits, memoryLimit, processorsWithin, readLimits } from "../system/host/limits.ts";
import { systemFiles } from "../system/host/system_files.ts";
import { RELEASED } from "../system/version.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { BlobFetcher } from "../store/blob_fetcher.ts";
import { openCache } from "../store/open_cache.ts";
import { findMksquashfs, findUnsquashfs, type Mksquashfs } from "../tools/find_tools.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest } from "../types/image.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";
import { blobName } from "./blob_name.ts";
import { checkOutput, outputPath } from "./check_output.ts";
import { checkProcesses } from "./check_processes.ts";
import { checkSpace } from "./check_space.ts";
import { fetchConfig } from "./fetch_config.ts";
import { type ImageContext, imageContext, type ImageOptions } from "./image_options.ts";
import { warnOfMismatch } from "./platform.ts";
import { planReading } from "./read_plan.ts";
import { reportLayers } from "./report_layers.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

export interface ImportOptions extends ImageOptions {
  /**
   * A path, whose symbolic links are followed; without it a name made from the reference, in the
   * current directory.
   */
  readonly output?: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Read the finished image back and compare it with what was packed. */
  readonly verify?: boolean;
}

export interface ImportResult {
  /** The image's absolute path, without symbolic links. */
  readonly output: string;
  /** Digest of the platform's manifest. */
  readonly digest: Digest;
  /** The canonical reference, as `/.enroot/source` has it. */
  readonly uri: string;
  /** Size of the image. */
  readonly bytes: number;
  readonly seconds: number;
}

/** How often damaged bytes are fetched anew before the image is given up. */
const MAX_ATTEMPTS = 3;

/**
 * Imports the image that `uri` names as an enroot image. The output appears whole, or not at all.
 *
 * Throws {@link DenrootError}: code `aborted` when `signal` aborts.
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
  checkProcesses(limits);
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
    fetchAndPack(content, {
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

/** Gives the size of the image. */
async function fetchAndPack(content: ImageContent, context: PackingContext): Promise<number> {
  const { settings, platform, source, mksquashfs, limits, signal, onProgress } = context;
  const fetcher = fetchContent(content, context);
  try {
    const config = await fetchConfig(content.config, fetcher);
    const plan = planReading(config, content.layers);
    warnOfMismatch(platform, config, onProgress);
    const created = settings.sourceDateEpoch ?? secondsOf(config.created);
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

/** Begins to bring the image's blobs here. The topmost layer is packed first. */
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

/** Damaged bytes are thrown away and fetched anew; what an image has wrong itself is not. */
async function withFreshBlobs(
  cache: BlobCache,
  { signal, onProgress }: ImageContext,
  attempt: () => Promise<number>,
): Promise<number> {
  for (let count = 1;; count++) {
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(signal);
      const cause = error instanceof LayerFailure ? error.cause : error;
      if (!isDamaged(error)) throw cause;
      removeDamaged(error, cache);
      if (count === MAX_ATTEMPTS) throw cause;
      onProgress({
        type: "log",
        level: "warn",
        message: `${(cause as Error).message}; fetching it again`,
      });
    }
  }
}

/** Whether another transfer can help: the cache's copy, or the transfer itself, was at fault. */
function isDamaged(error: unknown): boolean {
  return error instanceof LayerFailure
    ? error.readable.origin === "cache"
    : hasCode(error, "digest");
}

function removeDamaged(error: unknown, cache: BlobCache): void {
  if (error instanceof LayerFailure) cache.remove(error.readable.descriptor.digest);
}

/** An old mksquashfs clamps file times to the image's: it gets a fixed late one. */
function imageTime(created: number, { setsRootTime }: Mksquashfs): number {
  return setsRootTime ? created : Math.max(created, RELEASED);
}

/** Seconds since 1970; 0 when the image does not say when it was made. */
function secondsOf(created: string | undefined): number {
  const milliseconds = created === undefined ? NaN : Date.parse(created);
  return Number.isNaN(milliseconds) ? 0 : Math.max(0, Math.floor(milliseconds / 1000));
}

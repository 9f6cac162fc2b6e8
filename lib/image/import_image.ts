/** The sentence that denroot is about. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError, hasCode, throwIfAborted } from "../errors.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { BlobFetcher } from "../store/blob_fetcher.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { ownFiles } from "../enroot/own_files.ts";
import { findMksquashfs, findUnsquashfs, type Mksquashfs } from "../tools/find_tools.ts";
import { outputExists } from "../squashfs/packer.ts";
import { RELEASED } from "../system/version.ts";
import { openSource } from "../transport/open_source.ts";
import type { Descriptor, Digest, Platform, ResolvedImage } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { Source } from "../types/source.ts";
import { checkSpace } from "./check_space.ts";
import { fetchConfig } from "./fetch_config.ts";
import { openCache } from "../store/open_cache.ts";
import { packLayers } from "../pack/pack_layers.ts";
import { UnusableBlob } from "../store/unusable_blob.ts";
import { requestedPlatform, warnOfMismatch } from "./platform.ts";
import { blobName } from "./blob_name.ts";
import { reportLayers } from "./report_layers.ts";

export interface ImportOptions {
  /** A path; without it a name made from the reference, in the current directory. */
  readonly output?: string;
  /** As `uname -m` or as images name it; this machine's by default. */
  readonly architecture?: string;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Read the finished image back and compare it with what was packed. */
  readonly verify?: boolean;
  readonly settings?: Settings;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

export interface ImportResult {
  /** The image's absolute path. */
  readonly output: string;
  /** Of the platform's manifest. */
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
  const signal = options.signal ?? new AbortController().signal;
  const onProgress = options.onProgress ?? (() => {});
  const reference = parseReference(uri);
  const settings = options.settings ?? await loadSettings();
  const output = path.resolve(options.output ?? defaultOutputName(reference));
  const force = options.force ?? settings.forceOverride;
  checkOutput(output, force);
  checkDirectory(path.dirname(output));
  using mksquashfs = await findMksquashfs(settings);
  using unsquashfs = options.verify ? await findUnsquashfs(settings) : undefined;
  const platform = requestedPlatform(options.architecture);

  using opened = openCache(settings, path.dirname(output), onProgress);
  const { cache } = opened;
  await using source = await openSource(reference, { settings, blobs: cache, onProgress, signal });
  const image = await source.resolve(platform, signal);
  checkSpace(image, cache, source, output);
  onProgress({ type: "resolved", digest: image.digest, layers: image.manifest.layers });

  const context: ImportContext = { settings, source, image, cache, mksquashfs, signal, onProgress };
  const bytes = await withFreshBlobs(
    context,
    () => fetchAndPack(context, { output, force, platform, verifyWith: unsquashfs?.path }),
  );
  const seconds = (performance.now() - started) / 1000;
  return { output, digest: image.digest, uri: source.uri, bytes, seconds };
}

interface ImportContext {
  readonly settings: Settings;
  readonly source: Source;
  readonly image: ResolvedImage;
  readonly cache: BlobCache;
  readonly mksquashfs: Mksquashfs;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

async function fetchAndPack(
  context: ImportContext,
  { output, force, platform, verifyWith }: {
    readonly output: string;
    readonly force: boolean;
    readonly platform: Platform;
    readonly verifyWith: string | undefined;
  },
): Promise<number> {
  const { settings, source, image, cache, mksquashfs, signal, onProgress } = context;
  const { config: configDescriptor, layers } = image.manifest;
  const report = reportLayers(layers, onProgress);
  const nameOf = (descriptor: Descriptor) => blobName(image.manifest, descriptor);
  // The topmost layer is packed first.
  const wanted = [configDescriptor, ...layers.toReversed()];
  const fetcher = new BlobFetcher(wanted, {
    source,
    cache,
    connections: settings.maxConnections,
    signal,
    onReceived: report.received,
    onFound: report.found,
    nameOf,
  });
  try {
    const config = await fetchConfig(configDescriptor, layers.length, fetcher);
    warnOfMismatch(platform, config, onProgress);
    const created = secondsOf(config.created);
    // One that caps the times of files by the image's gets a late one, the same in all runs.
    const time = mksquashfs.setsRootTime ? created : Math.max(created, RELEASED);
    return await packLayers({
      target: output,
      layers,
      config,
      ownFiles: ownFiles(config, source.uri),
      nameOf,
      fetcher,
      squash: {
        mksquashfs,
        squashOptions: settings.squashOptions,
        processors: settings.maxProcessors,
        time: settings.sourceDateEpoch ?? time,
        force,
      },
      defaultTime: settings.sourceDateEpoch ?? created,
      allTime: settings.sourceDateEpoch,
      maxBytes: settings.maxImageBytes,
      verifyWith,
      signal,
      onProgress,
    });
  } finally {
    await fetcher.close();
  }
}

/** Damaged bytes are thrown away and fetched anew; what an image has wrong itself is not. */
async function withFreshBlobs(
  { cache, signal, onProgress }: ImportContext,
  attempt: () => Promise<number>,
): Promise<number> {
  for (let count = 1;; count++) {
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(signal);
      const cause = error instanceof UnusableBlob ? error.cause : error;
      const again = damagedCopy(error, cache);
      if (!again || count === MAX_ATTEMPTS) throw cause;
      onProgress({
        type: "log",
        level: "warn",
        message: `${(cause as Error).message}; fetching it again`,
      });
    }
  }
}

/** Whether another transfer can help: the cache's copy, or the transfer itself, was at fault. */
function damagedCopy(error: unknown, cache: BlobCache): boolean {
  if (error instanceof UnusableBlob) {
    if (error.readable.origin !== "cache") return false;
    cache.remove(error.readable.descriptor.digest);
    return true;
  }
  return hasCode(error, "digest");
}

/** Since 1970; 0 when the image does not say when it was made. */
function secondsOf(created: string | undefined): number {
  const milliseconds = created === undefined ? NaN : Date.parse(created);
  return Number.isNaN(milliseconds) ? 0 : Math.max(0, Math.floor(milliseconds / 1000));
}

/** A device, or a directory, is replaced by nothing. */
function checkOutput(output: string, force: boolean): void {
  const found = fs.statSync(output, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isFile()) {
    throw new DenrootError("exists", `The output ${output} is there, and is no regular file`, {
      hint: "Name an output elsewhere",
    });
  }
  if (!force) throw outputExists(output);
}

/** Before anything is fetched: mksquashfs would say much later, and much less. */
function checkDirectory(directory: string): void {
  if (!fs.existsSync(directory)) {
    throw new DenrootError("file", `There is no directory ${directory} for the output`, {
      hint: "Make it, or name an output elsewhere",
    });
  }
  try {
    fs.accessSync(directory, fs.constants.W_OK);
  } catch (cause) {
    const isReadOnly = (cause as NodeJS.ErrnoException).code === "EROFS";
    const why = isReadOnly ? "is on a read-only file system" : "cannot be written by you";
    throw new DenrootError("file", `The directory ${directory} for the output ${why}`, {
      cause,
      hint: "Name an output elsewhere",
    });
  }
}

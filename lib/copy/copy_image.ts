/** Copies an image, with all that belongs to it, from any place to any other. */

import { DenrootError } from "../errors.ts";
import { type ImageContext, imageContext, type ImageOptions } from "../image/image_options.ts";
import { parsePlatform } from "../oci/architecture.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openCache, openStore } from "../store/open_cache.ts";
import { secondsSince } from "../text/seconds_since.ts";
import { openDestination, requireDestination } from "../transport/open_destination.ts";
import { openSource } from "../transport/open_source.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, Platform } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageDestination, ImageSource } from "../types/source.ts";
import { requireOneChoice } from "./choose_root.ts";
import { copyBetween } from "./copy_between.ts";
import type { ImageFormat, LayerCompression } from "./image_format.ts";
import type { CopyCache } from "./open_stored_blob.ts";
import type { CopiedBlob } from "./send_blobs.ts";
import { contextOf, referenceOf, type SideOptions } from "./side_options.ts";
import { asDestinationSide, asSourceSide, sideOf } from "./sides.ts";

export interface CopyOptions extends ImageOptions {
  /** Platforms to copy, `linux/arm64`; everything without one, and an index for several. */
  readonly platforms?: readonly string[] | undefined;
  /** Whether several platforms keep the index of all: the destination then lacks what it names. */
  readonly sparse?: boolean | undefined;
  /** The format to convert the image to; its digest changes. */
  readonly format?: ImageFormat | undefined;
  /** How to compress layers that are stored otherwise; the digest changes. */
  readonly compression?: LayerCompression | undefined;
  /** Whether a name is taken from another image, and everything is compared again. */
  readonly force?: boolean | undefined;
  /** Whether a name is taken from another image, without a comparison of everything. */
  readonly replace?: boolean | undefined;
  /** Whether what refers to the image stays behind. */
  readonly withoutReferrers?: boolean | undefined;
  /** Tags that the image gets beside the destination's own. */
  readonly furtherTags?: readonly string[] | undefined;
  /** Further repositories of the destination's registry that may have the image's blobs. */
  readonly fromRepositories?: readonly string[] | undefined;
  /** Whether blobs that come over the network stay in the cache. */
  readonly keepInCache?: boolean | undefined;
  readonly source?: SideOptions | undefined;
  readonly destination?: SideOptions | undefined;
  /** Whether nothing is written, and the result says what would be. */
  readonly dryRun?: boolean | undefined;
}

export interface CopyResult {
  /** The canonical references, without users. */
  readonly source: string;
  readonly destination: string;
  /** The digest of what the source's reference names; absent where it names images without an index. */
  readonly sourceDigest?: Digest;
  /** The digest of what the destination has under its name. */
  readonly digest: Digest;
  /** Empty when the destination had the image under its name already. */
  readonly blobs: readonly CopiedBlob[];
  /** The size of the blobs that were sent; in a dry run, of those that would be. */
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * Copies the image that `from` names to `to`. Its documents and blobs stay byte for byte as they are,
 * and its name comes last: after a failure nothing has the name, and what was sent is found again.
 *
 * Throws {@link DenrootError}, with code `exists` when another image has the name, `aborted` when
 * `signal` aborts.
 */
export async function copyImage(
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const started = performance.now();
  checkOptions(options);
  const sides = sidesOf(from, to, options);
  requireDestination(sides.destination.reference);
  const context = await imageContext(options);
  using opened = openCopyCache(context, options);
  const { cache } = opened;
  const places = { ...context, blobs: cache, platform: onlyPlatform(options) ?? context.platform };
  await using source = await openFrom(sides.source, places);
  await using destination = await openTo(sides.destination, places, options);
  const target = sides.destination.reference;
  const job = { source, destination, target, options, cache, context: places };
  const copied = await copyBetween(job);
  if (!options.dryRun) await destination.finish?.(context.signal);
  const seconds = secondsSince(started);
  return { source: source.uri, destination: destination.uri, ...copied, seconds };
}

interface OpenSide {
  readonly reference: Reference;
  readonly options: SideOptions;
}

function sidesOf(
  from: string,
  to: string,
  { source = {}, destination = {} }: CopyOptions,
): { readonly source: OpenSide; readonly destination: OpenSide } {
  return {
    source: { reference: referenceOf(parseReference(from), source, "source"), options: source },
    destination: {
      reference: referenceOf(parseReference(to), destination, "destination"),
      options: destination,
    },
  };
}

async function openFrom(
  { reference, options }: OpenSide,
  context: ImageContext & SourceContext,
): Promise<ImageSource> {
  const open = () => openSource(reference, contextOf(context, options));
  return asSourceSide(await sideOf("source", formatReference(reference))(open));
}

async function openTo(
  { reference, options }: OpenSide,
  context: ImageContext & SourceContext,
  { force: replace = false }: CopyOptions,
): Promise<ImageDestination> {
  const open = () => openDestination(reference, { ...contextOf(context, options), replace });
  return asDestinationSide(await sideOf("destination", formatReference(reference))(open));
}

/** An engine with an image for several platforms is asked for one. */
function onlyPlatform({ platforms = [] }: CopyOptions): Platform | undefined {
  return platforms.length === 1 ? parsePlatform(platforms[0]!) : undefined;
}

/** The cache is opened at once only when it is to keep something. */
function openCopyCache(
  { settings, onProgress }: ImageContext,
  { keepInCache }: CopyOptions,
): { readonly cache: CopyCache } & Disposable {
  if (keepInCache) {
    return openCache(settings, settings.environment.TMPDIR || "/var/tmp", onProgress);
  }
  const cache = openStore(settings, onProgress);
  return { cache, [Symbol.dispose]: () => cache[Symbol.dispose]() };
}

function checkOptions(options: CopyOptions): void {
  const { sparse, platforms = [], architecture, format, compression } = options;
  requireOneChoice(options);
  if (!sparse) return;
  if (format !== undefined || compression !== undefined) {
    throw new DenrootError("usage", "A sparse index stays as it is, and so do its images", {
      hint: "Leave out --sparse, or --format and --compress",
    });
  }
  if (platforms.length === 0 && architecture === undefined) {
    throw new DenrootError("usage", "A sparse index needs to know which platforms to copy", {
      hint: "Add --platform, once for each",
    });
  }
}

/** Brings one image of a list to its place, unless it is there. */

import { copyBetween } from "../copy/copy_between.ts";
import type { CopyOptions } from "../copy/copy_image.ts";
import type { CopyCache } from "../copy/open_stored_blob.ts";
import { DenrootError, throwIfAborted } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import { formatReference } from "../reference/format_reference.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest } from "../types/image.ts";
import type { ImageDestination } from "../types/source.ts";
import type { Places } from "./destination/open_places.ts";
import type { ListedImage } from "./listed_image.ts";

/**
 * What became of an image. `newer`: the name has what a later archive brought, and keeps it. Only a dry
 * run has `missing`: the image would be copied.
 */
export interface SyncedImage {
  /** The canonical references, without users. */
  readonly source: string;
  readonly destination: string;
  readonly fate: "copied" | "present" | "newer" | "missing" | "failed";
  readonly digest?: Digest;
  /** What had the name before. */
  readonly previous?: Digest;
  readonly error?: DenrootError;
}

export interface SyncImageOptions {
  readonly copy: CopyOptions;
  readonly cache: CopyCache;
  readonly context: ImageContext & SourceContext;
  /** Repositories of the destination that may have blobs of the image. */
  readonly fromRepositories?: readonly string[];
  /** Whether the name has a later image than this one, and keeps it. */
  readonly isNewer?: (current: Digest | undefined) => boolean;
}

/** Only an interruption is thrown. */
export async function syncImage(
  image: ListedImage,
  places: Places,
  options: SyncImageOptions,
): Promise<SyncedImage> {
  const { source, name } = image;
  const target = places.referenceOf(name);
  const uris = { source: source.uri, destination: formatReference(target) };
  const { copy, cache, context } = options;
  try {
    const place = await places.open(name);
    const previous = await place.current(context.signal);
    const same = await unchanged(image, place, previous, options);
    if (same !== undefined) return { ...uris, fate: "present", digest: same };
    if (options.isNewer?.(previous)) return { ...uris, fate: "newer", digest: previous! };
    await places.learn?.(image, context.signal);
    const copied = await copyBetween({
      source,
      destination: Object.create(place, { current: { value: () => Promise.resolve(previous) } }),
      target,
      options: { ...copy, replace: true, fromRepositories: options.fromRepositories },
      cache,
      context,
    });
    const { digest } = copied;
    const isPresent = digest === previous && !copy.force;
    return {
      ...uris,
      fate: isPresent ? "present" : copy.dryRun ? "missing" : "copied",
      digest,
      ...(previous !== undefined && previous !== digest && { previous }),
    };
  } catch (error) {
    throwIfAborted(context.signal);
    if (!(error instanceof DenrootError)) throw error;
    return { ...uris, fate: "failed", error };
  }
}

/**
 * The digest that both sides have; undefined when that is not sure. It costs one request at either
 * side, which is no pull.
 */
async function unchanged(
  { source, name }: ListedImage,
  place: ImageDestination,
  current: Digest | undefined,
  { copy: { force, platforms = [], architecture }, context: { signal } }: SyncImageOptions,
): Promise<Digest | undefined> {
  if (force || platforms.length > 0 || architecture !== undefined) return undefined;
  if (name.tag === undefined && name.digest !== undefined) {
    const document = { digest: name.digest, mediaType: "", size: 0 };
    return await place.hasDocument(document, signal) ? name.digest : undefined;
  }
  if (current === undefined) return undefined;
  const digest = name.digest ?? await source.digest?.(signal);
  return digest === current ? digest : undefined;
}

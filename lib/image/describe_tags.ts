/** What the tags of a place stand for, one after the other. */

import { DenrootError } from "../errors.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest, Platform } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { ImageSource } from "../types/source.ts";
import { imageContext, type ImageOptions } from "./image_options.ts";
import { inspectSource } from "./inspect_image.ts";
import type { TagList } from "./list_tags.ts";
import { openStore } from "../store/open_cache.ts";
import { otherPlatform } from "./platform.ts";

/** Every tag takes three requests, and registries count them: Docker Hub as a pull. */
export const MAX_DESCRIBED_TAGS = 1000;
const AT_ONCE = 4;

export type TagDescription = DescribedTag | FailedTag;

export interface DescribedTag {
  readonly tag: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  /** Stored bytes of the platform's layers and configuration. */
  readonly bytes: number;
  /** How many of these are not on this machine. */
  readonly missingBytes: number;
  /** A guess at the image file that an import would write. */
  readonly estimatedImageBytes: number;
  /** RFC 3339, as the image has it. */
  readonly created?: string;
  /** What the image is for, when it is the only one and for another platform. */
  readonly otherPlatform?: Platform;
}

export interface FailedTag {
  readonly tag: string;
  /** Why this tag cannot be described. */
  readonly error: DenrootError;
}

/**
 * Looks at each tag of a list, a few at a time, and gives them in the same order. A fault of one tag
 * stands in its description. A fault that all of them would have is thrown: the place cannot be
 * opened, does not answer, or refuses more requests.
 *
 * Throws code `limit` for more than {@link MAX_DESCRIBED_TAGS} tags, `unsupported` where images have
 * no tags.
 */
export async function* describeTags(
  { reference, tags }: TagList,
  options: ImageOptions = {},
): AsyncGenerator<TagDescription, void, void> {
  if (tags.length > MAX_DESCRIBED_TAGS) throw tooMany(tags.length);
  const stop = new AbortController();
  const common = await imageContext(options);
  const signal = AbortSignal.any([stop.signal, common.signal]);
  using blobs = openStore(common.settings, silent);
  const context = { ...common, blobs, signal, onProgress: silent };
  await using place = await openSource(withoutDigest(reference), context);
  if (place.at === undefined) throw notDescribed(reference);
  const begin = (tag: string) => {
    const description = describeTag(place, tag, context);
    // Avoids an unhandled rejection; the loop below still gets the error.
    description.catch(() => {});
    return description;
  };
  const running = tags.slice(0, AT_ONCE).map(begin);
  try {
    for (const index of tags.keys()) {
      yield await running.shift()!;
      const next = tags[index + AT_ONCE];
      if (next !== undefined) running.push(begin(next));
    }
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

const silent = () => {};

const OF_THE_PLACE: ReadonlySet<string> = new Set([
  "aborted",
  "credentials",
  "network",
  "rate_limit",
]);

async function describeTag(
  place: ImageSource,
  tag: string,
  context: Required<SourceContext>,
): Promise<TagDescription> {
  try {
    const { digest, sizes, config } = await inspectSource(place.at!(tag), context);
    const { created } = config;
    const other = otherPlatform(context.platform, config);
    return {
      tag,
      digest,
      bytes: sizes.stored,
      missingBytes: sizes.missing,
      estimatedImageBytes: sizes.estimatedImage,
      ...(created !== undefined && { created }),
      ...(other !== undefined && { otherPlatform: other }),
    };
  } catch (error) {
    if (!(error instanceof DenrootError) || OF_THE_PLACE.has(error.code)) throw error;
    return { tag, error };
  }
}

/** There are mirrors that take digests alone, and those are not asked for tags. */
function withoutDigest(reference: Reference): Reference {
  return reference.scheme === "docker" ? { ...reference, digest: undefined } : reference;
}

function notDescribed({ scheme }: Reference): DenrootError {
  return new DenrootError("unsupported", `The scheme "${scheme}:" has no tags to be described`);
}

function tooMany(count: number): DenrootError {
  return new DenrootError(
    "limit",
    `There are ${count} tags, too many to look at; the limit is ${MAX_DESCRIBED_TAGS}`,
    { hint: "List them without looking at each, and inspect the one that you want" },
  );
}

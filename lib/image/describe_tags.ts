/** Describes the images behind the tags of a place, one after the other. */

import { DenrootError } from "../errors.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest, Platform } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { ImageSource } from "../types/source.ts";
import { type ImageContext, imageContext, type ImageOptions } from "./image_options.ts";
import { inspectSource } from "./inspect_image.ts";
import type { TagList } from "./list_tags.ts";
import { openStore } from "../store/open_cache.ts";
import { otherPlatform } from "./platform.ts";

/** A tag takes three requests, and registries limit requests: Docker Hub counts them as a pull. */
const MAX_DESCRIBED_TAGS = 1000;
const AT_ONCE = 4;

export type TagDescription = DescribedTag | FailedTag;

export interface DescribedTag {
  readonly tag: string;
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The number of stored bytes of the platform's layers and configuration. */
  readonly bytes: number;
  /** How many of these bytes are not on this machine. */
  readonly missingBytes: number;
  /** An estimate of the size of the image file that an import would write. */
  readonly estimatedImageBytes: number;
  /** An RFC 3339 time, unchanged from the image. */
  readonly created?: string;
  /**
   * The image's platform, when the tag has only one image and that is for another platform than this
   * machine's. Where the caller named an architecture, such a tag has an error instead.
   */
  readonly otherPlatform?: Platform;
}

export interface FailedTag {
  readonly tag: string;
  /** Why this tag cannot be described. */
  readonly error: DenrootError;
}

/**
 * Describes each tag of a list, a few at a time, and gives the descriptions in the same order. An
 * error that concerns one tag is part of its description. An error that concerns all tags is thrown:
 * the place cannot be opened, does not answer, or refuses more requests.
 *
 * Throws code `limit` for more than 1000 tags, `unsupported` where images have no tags.
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
  await using source = await openSource(withoutDigest(reference), context);
  if (source.at === undefined) throw notDescribed(reference);
  const begin = (tag: string) => {
    const description = describeTag(source, tag, context);
    // The loop below throws the error, but it may come too late: a rejection that nothing handles in
    // the meantime ends the process.
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

/** The codes of errors that concern all tags of a place. */
const OF_THE_PLACE: ReadonlySet<string> = new Set([
  "aborted",
  "credentials",
  "network",
  "rate_limit",
]);

async function describeTag(
  source: ImageSource,
  tag: string,
  context: ImageContext & SourceContext,
): Promise<TagDescription> {
  try {
    const { digest, sizes, config } = await inspectSource(source.at!(tag), context);
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

/** Some mirrors are asked only for digests: a reference without one leaves them out. */
function withoutDigest(reference: Reference): Reference {
  return reference.scheme === "docker" ? { ...reference, digest: undefined } : reference;
}

function notDescribed({ scheme }: Reference): DenrootError {
  return new DenrootError("unsupported", `Images of the scheme "${scheme}:" have no tags`);
}

function tooMany(count: number): DenrootError {
  return new DenrootError(
    "limit",
    `There are ${count} tags, but only ${MAX_DESCRIBED_TAGS} can be described at once`,
    { hint: "List the tags without their descriptions, and inspect the one that you want" },
  );
}

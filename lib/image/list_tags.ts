/** The tags of a repository, or of a layout. */

import { DenrootError } from "../errors.ts";
import { parseReference } from "../reference/parse_reference.ts";
import type { Reference } from "../types/reference.ts";
import { type ImageOptions, withSource } from "./image_options.ts";

/** The tags of one place, and what their images' references are made from. */
export interface TagList {
  /** Where the tags are; a tag or digest in it counts for nothing. */
  readonly reference: Reference;
  /** Each once, in the order of that place: a registry's is that of the alphabet. */
  readonly tags: readonly string[];
}

/**
 * The tags of the place that `uri` names; a tag in `uri` itself counts for nothing. Throws code
 * `unsupported` where images have no tags.
 */
export async function listTags(uri: string, options: ImageOptions = {}): Promise<TagList> {
  const reference = parseReference(uri);
  return await withSource(reference, options, async (source, { signal }) => {
    if (source.tags === undefined) throw noTags(reference);
    const tags = await source.tags(signal);
    return { reference: settle(reference, source.uri), tags };
  });
}

/** A path, or a name without its registry, has turned out to be something more definite. */
function settle(asked: Reference, uri: string): Reference {
  const found = parseReference(uri);
  if (found.scheme !== "docker" || asked.scheme !== "docker" || asked.user === undefined) {
    return found;
  }
  return found.registry === asked.registry ? { ...found, user: asked.user } : found;
}

function noTags({ scheme }: Reference): DenrootError {
  return new DenrootError("unsupported", `The scheme "${scheme}:" has no tags to be listed`);
}

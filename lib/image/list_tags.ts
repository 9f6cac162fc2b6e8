/** Lists the tags of a repository, layout or archive. */

import { DenrootError } from "../errors.ts";
import { quotePath } from "../text/quote_text.ts";
import { parseRegistryName } from "../reference/registry_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import type { Reference } from "../types/reference.ts";
import { type ImageOptions, withSource } from "./image_options.ts";

/** The tags of one place, and a reference from which their images' references can be made. */
export interface TagList {
  /** The place that has the tags. A tag or digest in this reference has no meaning. */
  readonly reference: Reference;
  /** Without repetitions, in the order of the place: a registry sorts them by the alphabet. */
  readonly tags: readonly string[];
}

/**
 * Lists the tags of the place that `uri` names. A tag in `uri` itself has no influence. Throws code
 * `unsupported` where images have no tags, `reference` for a registry without a repository.
 */
export async function listTags(uri: string, options: ImageOptions = {}): Promise<TagList> {
  if (parseRegistryName(uri) !== undefined) throw noRepository(uri);
  const reference = parseReference(uri);
  return await withSource(reference, options, async (source, { signal }) => {
    if (source.tags === undefined) throw noTags(source.reference);
    const tags = await source.tags(signal);
    return { reference: source.reference, tags };
  });
}

function noRepository(uri: string): DenrootError {
  return new DenrootError(
    "reference",
    `${quotePath(uri)} names a registry, but no repository in it`,
    {
      hint: "Name a repository, as in docker://REGISTRY/NAME",
    },
  );
}

function noTags({ scheme }: Reference): DenrootError {
  return new DenrootError("unsupported", `Images of the scheme "${scheme}:" have no tags`);
}

/** The documents that a place's tags stand for. */

import { DenrootError } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import { isReferrerTag } from "../oci/referrer_tags.ts";
import type { Digest, StoredDocument } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageRoot, ImageSource } from "../types/source.ts";
import { type OnFault, unlessFaulty } from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";

/** Each tag takes a request of its own. */
const MAX_TAGS = 10_000;

export interface TagRoot {
  readonly document: StoredDocument;
  readonly tags: string[];
  /** Has the blobs below the document. */
  readonly source: ImageSource;
}

/**
 * Each document once, in the order of its first tag; those whose tags are made from a digest, because
 * they refer to another document, come last. `onFault` gets the error of a tag that cannot be read.
 *
 * Throws code `limit` for more than 10,000 tags, and what concerns the whole place.
 */
export async function readTagRoots(
  source: ImageSource & Required<Pick<ImageSource, "tags" | "at">>,
  { signal, settings: { maxConnections } }: Pick<ImageContext, "signal" | "settings">,
  onFault: (tag: string, error: DenrootError) => void,
): Promise<readonly TagRoot[]> {
  const tags = await source.tags(signal);
  if (tags.length > MAX_TAGS) throw tooMany(tags.length);
  const ordered = [
    ...tags.filter((tag) => !isReferrerTag(tag)),
    ...tags.filter(isReferrerTag),
  ];
  const roots = new Map<Digest, TagRoot>();
  const found = await inParallel(ordered, maxConnections, signal, async (tag, signal) => {
    const own = source.at(tag);
    const nameless = { mediaType: "", digest: "", size: 0 };
    const tell: OnFault = (_, error) => onFault(tag, error);
    const root = await unlessFaulty(nameless, () => own.root(signal), tell);
    return root && { tag, source: own, documents: await documentsOf(root, own, signal) };
  });
  for (const one of found) {
    for (const document of one?.documents ?? []) {
      const { source, tag } = one!;
      const root = roots.get(document.digest) ?? { document, tags: [], source };
      root.tags.push(tag);
      roots.set(document.digest, root);
    }
  }
  return [...roots.values()];
}

/** A layout may have several images under one name. */
export async function documentsOf(
  root: ImageRoot,
  source: ImageSource,
  signal: AbortSignal,
): Promise<readonly StoredDocument[]> {
  if ("document" in root) return [root.document];
  return await Promise.all(root.images.map((image) => source.document(image, signal)));
}

/** Whether `uri` has a tag or a digest. `docker://HOST/IMAGE` alone is read with the tag `latest`. */
export function namesOneImage(uri: string, reference: Reference): boolean {
  switch (reference.scheme) {
    case "docker":
      return reference.digest !== undefined || reference.tag !== "latest" ||
        uri.endsWith(":latest");
    case "oci":
    case "oci-archive":
      return reference.digest !== undefined || reference.tag !== undefined ||
        reference.index !== undefined;
    case "docker-archive":
      return reference.image !== undefined || reference.index !== undefined;
    default:
      return true;
  }
}

function tooMany(count: number): DenrootError {
  return new DenrootError(
    "limit",
    `There are ${count} tags, but denroot looks at no more than ${MAX_TAGS}`,
    { hint: "Name the tag or the digest that you want" },
  );
}

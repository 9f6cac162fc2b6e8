/**
 * What refers to an image: signatures, attestations, bills of materials. They name their subject
 * (image-spec, manifest.md), or have a tag that is made from its digest, as older cosign writes it.
 */

import { DenrootError, hasCode, messageOf } from "../errors.ts";
import { cosignTags } from "../oci/referrer_tags.ts";
import type { Digest, StoredDocument } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { ImageSource } from "../types/source.ts";
import {
  type DocumentTree,
  type OnFault,
  readTree,
  type TreeOptions,
  unlessFaulty,
} from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";

/** A document that gets a tag of its own. */
export interface NamedDocument {
  readonly tag: string;
  readonly document: StoredDocument;
}

export interface ReferrersOptions extends Omit<TreeOptions, "isWanted"> {
  readonly onProgress: OnProgress;
  /** Whether the source has a tag. Without this it is asked for its list. */
  readonly hasTag?: HasTag;
}

/**
 * Reads what refers to the documents of `tree`, and what refers to that, and adds it to the tree. Gives
 * those that have a tag.
 */
export async function readReferrers(
  tree: DocumentTree,
  source: ImageSource,
  options: ReferrersOptions,
): Promise<readonly NamedDocument[]> {
  const { connections, signal } = options;
  const onFault = options.onFault ?? warnIfGone(options.onProgress);
  const hasTag = options.hasTag ?? await tagFinder(source, options);
  const named: NamedDocument[] = [];
  const asked = new Set<Digest>();
  for (;;) {
    const subjects = [...tree.keys()].filter((digest) => !asked.has(digest));
    if (subjects.length === 0) return named;
    for (const digest of subjects) asked.add(digest);
    const found = await inParallel(subjects, connections, signal, async (digest, signal) => ({
      entries: await source.referrers?.(digest, signal) ?? [],
      named: await cosignDocuments(source, digest, hasTag, signal),
    }));
    for (const entry of found.flatMap(({ entries }) => entries)) {
      if (entry.fault !== undefined) {
        onFault(entry, new DenrootError("manifest", messageOf(entry.fault)));
      } else if (!tree.has(entry.digest)) {
        const read = () => source.document(entry, signal);
        const document = await unlessFaulty(entry, read, onFault);
        if (document !== undefined) await readTree(document, source, tree, options);
      }
    }
    for (const one of found.flatMap(({ named }) => named)) {
      named.push(one);
      if (!tree.has(one.document.digest)) await readTree(one.document, source, tree, options);
    }
  }
}

/** A list may name what was deleted since. */
function warnIfGone(onProgress: OnProgress): OnFault {
  return ({ fault }, error) => {
    if (fault === undefined && error.code !== "not_found") throw error;
    const message = `What refers to the image is incomplete: ${error.message}`;
    onProgress({ type: "log", level: "warn", message });
  };
}

type HasTag = (tag: string) => boolean;

/** One list of all tags is cheaper than a question for each; a registry may refuse to give it. */
async function tagFinder(
  source: ImageSource,
  { signal, onProgress }: ReferrersOptions,
): Promise<HasTag> {
  if (source.at === undefined || source.tags === undefined) return () => false;
  try {
    const tags = new Set(await source.tags(signal));
    return (tag) => tags.has(tag);
  } catch (error) {
    if (hasCode(error, "aborted")) throw error;
    const message = `The tags cannot be listed, so each is asked for: ${messageOf(error)}`;
    onProgress({ type: "log", level: "info", message });
    return () => true;
  }
}

async function cosignDocuments(
  source: ImageSource,
  digest: Digest,
  hasTag: HasTag,
  signal: AbortSignal,
): Promise<readonly NamedDocument[]> {
  const found: NamedDocument[] = [];
  for (const tag of cosignTags(digest).filter(hasTag)) {
    const document = await documentAt(source, tag, signal);
    if (document !== undefined) found.push({ tag, document });
  }
  return found;
}

async function documentAt(
  source: ImageSource,
  tag: string,
  signal: AbortSignal,
): Promise<StoredDocument | undefined> {
  try {
    const root = await source.at!(tag).root(signal);
    return "document" in root ? root.document : undefined;
  } catch (error) {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  }
}

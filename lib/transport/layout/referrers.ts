/** What refers to an image in a layout: its `index.json` lists it, or an index under a fallback tag. */

import { hasCode } from "../../errors.ts";
import { isUsable } from "../../oci/choose_platform.ts";
import { blobPath } from "../../oci/digest.ts";
import { MAX_MANIFEST_SIZE, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { isIndexType } from "../../oci/media_types.ts";
import { isReferrersTag, referrersTag } from "../../oci/referrer_tags.ts";
import type { Digest, IndexEntry, StoredDocument } from "../../types/image.ts";
import type { ImageFiles } from "../image_files.ts";
import { REF_NAME } from "./choose_entries.ts";
import type { IndexReferrer } from "./index_file.ts";

/** The descriptor of a manifest that refers to another one; undefined for any other document. */
export function asReferrer(
  { mediaType, digest, bytes }: StoredDocument,
): IndexReferrer | undefined {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  if (parsed.kind === "index" || parsed.manifest.subject === undefined) return undefined;
  const { artifactType = parsed.manifest.config?.mediaType } = parsed.manifest;
  return { mediaType, digest, size: bytes.length, ...(artifactType && { artifactType }) };
}

/**
 * What the entries of a layout refer to, by the subject's digest. An index with a fallback tag, which
 * some tools write, counts too (distribution-spec, "Referrers Tag Schema").
 */
export class LayoutReferrers {
  /** By the digest of the subject, and by its fallback tag. */
  readonly #found = new Map<string, Map<Digest, IndexEntry>>();

  static async read(
    files: ImageFiles,
    entries: readonly IndexEntry[],
  ): Promise<LayoutReferrers> {
    const all = new LayoutReferrers();
    for (const entry of entries.filter(isUsable)) {
      const { annotations: { [REF_NAME]: tag } = {}, ...descriptor } = entry;
      if (tag !== undefined && isReferrersTag(tag)) {
        for (const one of await listedBy(files, entry)) all.#add(tag, one);
      } else {
        const subject = await subjectOf(files, entry);
        if (subject !== undefined) all.#add(subject, descriptor);
      }
    }
    return all;
  }

  of(subject: Digest): readonly IndexEntry[] {
    const names = [subject, referrersTag(subject)];
    return [...new Map(names.flatMap((name) => [...this.#found.get(name) ?? []])).values()];
  }

  #add(name: string, entry: IndexEntry): void {
    const known = this.#found.get(name) ?? new Map<Digest, IndexEntry>();
    this.#found.set(name, known.set(entry.digest, entry));
  }
}

async function listedBy(files: ImageFiles, entry: IndexEntry): Promise<readonly IndexEntry[]> {
  const parsed = await readParsed(files, entry);
  return parsed?.kind === "index" ? parsed.index.manifests : [];
}

async function subjectOf(files: ImageFiles, entry: IndexEntry): Promise<Digest | undefined> {
  if (isIndexType(entry.mediaType)) return undefined;
  const parsed = await readParsed(files, entry);
  return parsed?.kind === "manifest" ? parsed.manifest.subject?.digest : undefined;
}

/** Undefined for an entry that is broken: it matters only to those who copy it. */
async function readParsed(
  files: ImageFiles,
  { digest, mediaType }: IndexEntry,
): Promise<ReturnType<typeof parseManifestOrIndex> | undefined> {
  try {
    return parseManifestOrIndex(await files.read(blobPath(digest), MAX_MANIFEST_SIZE), mediaType);
  } catch (error) {
    if (hasCode(error, "aborted")) throw error;
    return undefined;
  }
}

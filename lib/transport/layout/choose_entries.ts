/** Chooses the images in an image layout's `index.json` that a reference means. */

import { DenrootError } from "../../errors.ts";
import { isOrdinary, isUsable } from "../../oci/choose_platform.ts";
import { nearestNames } from "../../text/nearest_names.ts";
import { plainText, quotePath, quoteText } from "../../text/quote_text.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import type { IndexEntry } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";

/** The annotation that holds an image's tag. */
export const REF_NAME = "org.opencontainers.image.ref.name";

const SHOWN_TAGS = 20;
/** The annotation in which containerd and Docker keep the image's full name beside the tag. */
export const FULL_NAME = "io.containerd.image.name";

/**
 * Gives the entry that has the reference's tag or position, or the only entry when the reference has
 * neither. Gives several entries when the layout lists the image under one name for several
 * platforms. The entry may be one that cannot be used.
 *
 * Throws code `not_found` when no entry fits, `reference` when it is not clear which image is meant.
 */
export function chooseLayoutEntries(
  entries: readonly IndexEntry[],
  reference: OciReference,
): readonly IndexEntry[] {
  const { tag, index } = reference;
  if (index !== undefined) return [entries[index] ?? fail(noSuchIndex(reference, entries, index))];
  const wanted = preferUsable(tag === undefined ? preferOrdinary(entries) : withTag(entries, tag));
  const [first] = wanted;
  if (first === undefined) throw noSuchTag(reference, entries);
  // One image may have several tags.
  if (wanted.every(({ digest }) => digest === first.digest)) return [first];
  if (new Set(wanted.map(nameOf)).size === 1 && wanted.some((entry) => entry.platform)) {
    return wanted;
  }
  throw ambiguous(reference, entries);
}

/** An entry that cannot be used is chosen only when there is no other one. */
function preferUsable(entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const usable = entries.filter(isUsable);
  return usable.length > 0 ? usable : entries;
}

/** What refers to an image stands beside it in the list, without a name. */
function preferOrdinary(entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const ordinary = entries.filter((entry) => isOrdinary(entry) || nameOf(entry) !== undefined);
  return ordinary.length > 0 ? ordinary : entries;
}

/** The names that a reference can use for the entries, in their order and without repetitions. */
export function namesOf(entries: readonly IndexEntry[]): readonly string[] {
  return [...new Set(entries.map(nameOf))].filter((name) => name !== undefined);
}

/** The full name comes first: Docker saves many different images with the same tag, `latest`. */
function nameOf(entry: IndexEntry): string | undefined {
  return entry.annotations?.[FULL_NAME] ?? tagOf(entry);
}

/** Some tools write only the tag into the annotation, others the image's full name. */
function withTag(entries: readonly IndexEntry[], tag: string): readonly IndexEntry[] {
  const matches = [
    (entry: IndexEntry) => tagOf(entry) === tag,
    (entry: IndexEntry) => isSameName(entry.annotations?.[FULL_NAME], tag),
    (entry: IndexEntry) => tagOf(entry)?.endsWith(`:${tag}`),
  ];
  for (const match of matches) {
    const found = entries.filter(match);
    if (found.length > 0) return found;
  }
  return [];
}

function tagOf(entry: IndexEntry): string | undefined {
  return entry.annotations?.[REF_NAME];
}

function isSameName(name: string | undefined, wanted: string): boolean {
  // Text without a colon or slash is a tag, even if it could also be a name.
  if (name === undefined || !/[:/]/.test(wanted)) return false;
  try {
    return fullName(parseImageName(name)) === fullName(parseImageName(wanted));
  } catch {
    return false;
  }
}

function fail(error: DenrootError): never {
  throw error;
}

/** Lists those tags first that are like `wanted`. */
function listTags(entries: readonly IndexEntry[], wanted?: string): string {
  const tags = namesOf(entries);
  const rest = tags.length > SHOWN_TAGS ? ` and ${tags.length - SHOWN_TAGS} more` : "";
  const shown = wanted === undefined
    ? tags.slice(0, SHOWN_TAGS)
    : nearestNames(tags, wanted, SHOWN_TAGS);
  return tags.length === 0
    ? "no tags"
    : `the ${tags.length === 1 ? "tag" : "tags"} ${
      shown.map((tag) => plainText(tag)).join(", ")
    }${rest}`;
}

function noSuchIndex(
  reference: OciReference,
  entries: readonly IndexEntry[],
  index: number,
): DenrootError {
  const path = quotePath(reference.path);
  if (entries.length === 0) return emptyLayout(path);
  return new DenrootError(
    "not_found",
    `The layout ${path} has no image @${index}; its last image is @${entries.length - 1}`,
  );
}

function noSuchTag(reference: OciReference, entries: readonly IndexEntry[]): DenrootError {
  const { scheme, tag = "" } = reference;
  const path = quotePath(reference.path);
  if (entries.length === 0) return emptyLayout(path);
  const names = namesOf(entries).length;
  return new DenrootError(
    "not_found",
    `The layout ${path} has no tag ${quoteText(tag)}; it has ${listTags(entries, tag)}`,
    {
      hint: names > SHOWN_TAGS
        ? `denroot tags ${scheme}:PATH lists all tags`
        : names === 0
        ? `Name an image by its position or digest: ${scheme}:PATH:@INDEX or ${scheme}:PATH@DIGEST`
        : undefined,
    },
  );
}

function emptyLayout(path: string): DenrootError {
  return new DenrootError("not_found", `The layout ${path} is empty`);
}

function ambiguous({ scheme, path }: OciReference, entries: readonly IndexEntry[]): DenrootError {
  return new DenrootError(
    "reference",
    `The layout ${quotePath(path)} holds ${entries.length} images, and the reference fits ` +
      `several of them; it has ${listTags(entries)}`,
    { hint: `Name one: ${scheme}:PATH:TAG, ${scheme}:PATH:@INDEX or ${scheme}:PATH@DIGEST` },
  );
}

/** Which of the images in an image layout's `index.json` a reference means. */

import { DenrootError } from "../../errors.ts";
import { plainText, quotePath, quoteText } from "../../text/quote_text.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import type { Descriptor } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";

/** The annotation that holds an image's tag. */
export const REF_NAME = "org.opencontainers.image.ref.name";

const SHOWN_TAGS = 20;
/** containerd and Docker keep the image's full name beside the tag. */
const FULL_NAME = "io.containerd.image.name";

/**
 * The entry that the reference's index or tag stands for, or the only one; several where the layout
 * lists one image for several platforms under one name. Throws code `not_found`, or `reference` when
 * it is not clear which image is meant.
 */
export function chooseLayoutEntries(
  entries: readonly Descriptor[],
  reference: OciReference,
): readonly Descriptor[] {
  const { tag, index } = reference;
  if (index !== undefined) return [entries[index] ?? fail(noSuchIndex(reference, entries, index))];
  const wanted = tag === undefined ? entries : withTag(entries, tag);
  const [first] = wanted;
  if (first === undefined) throw noSuchTag(reference, entries);
  // One image may have several tags.
  if (wanted.every(({ digest }) => digest === first.digest)) return [first];
  if (new Set(wanted.map(nameOf)).size === 1 && wanted.some((entry) => entry.platform)) {
    return wanted;
  }
  throw ambiguous(reference, entries);
}

/** What the entries can be named by, each once, in their order. */
export function namesOf(entries: readonly Descriptor[]): readonly string[] {
  return [...new Set(entries.map(nameOf))].filter((name) => name !== undefined);
}

/** Docker saves many an image with the tag `latest`. */
function nameOf(entry: Descriptor): string | undefined {
  return entry.annotations?.[FULL_NAME] ?? tagOf(entry);
}

/** Tools write the tag alone, or the image's full name, into the annotation. */
function withTag(entries: readonly Descriptor[], tag: string): readonly Descriptor[] {
  const matches = [
    (entry: Descriptor) => tagOf(entry) === tag,
    (entry: Descriptor) => isSameName(entry.annotations?.[FULL_NAME], tag),
    (entry: Descriptor) => tagOf(entry)?.endsWith(`:${tag}`),
  ];
  for (const match of matches) {
    const found = entries.filter(match);
    if (found.length > 0) return found;
  }
  return [];
}

function tagOf(entry: Descriptor): string | undefined {
  return entry.annotations?.[REF_NAME];
}

function isSameName(name: string | undefined, wanted: string): boolean {
  // A tag alone is no name, even if it could be one.
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

function listTags(entries: readonly Descriptor[]): string {
  const tags = namesOf(entries);
  const rest = tags.length > SHOWN_TAGS ? ` and ${tags.length - SHOWN_TAGS} more` : "";
  return tags.length === 0
    ? "no tags"
    : `the tags ${tags.slice(0, SHOWN_TAGS).map((tag) => plainText(tag)).join(", ")}${rest}`;
}

function noSuchIndex(
  reference: OciReference,
  entries: readonly Descriptor[],
  index: number,
): DenrootError {
  return new DenrootError(
    "not_found",
    `The layout ${quotePath(reference.path)} has no image @${index}, only ${entries.length}`,
  );
}

function noSuchTag(reference: OciReference, entries: readonly Descriptor[]): DenrootError {
  const path = quotePath(reference.path);
  if (entries.length === 0) return new DenrootError("not_found", `The layout ${path} is empty`);
  return new DenrootError(
    "not_found",
    `The layout ${path} has no tag ${quoteText(reference.tag ?? "")}; it has ${listTags(entries)}`,
  );
}

function ambiguous({ scheme, path }: OciReference, entries: readonly Descriptor[]): DenrootError {
  return new DenrootError(
    "reference",
    `The layout ${quotePath(path)} holds ${entries.length} images; it has ${listTags(entries)}`,
    { hint: `Name one as ${scheme}:PATH:TAG, ${scheme}:PATH:@INDEX or ${scheme}:PATH@DIGEST` },
  );
}

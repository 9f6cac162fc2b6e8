/** Tags that lead to what refers to a document: they are made from the document's digest. */

import type { Digest } from "../types/image.ts";
import { parseDigest } from "./digest.ts";

const HEX_CHARACTERS = 64;
const LIST = /^sha(256|512)-[0-9a-f]{64,128}$/;
const ANY = /^sha(256|512)-[0-9a-f]{64,128}(\.(sig|att|sbom))?$/;
const COSIGN_SUFFIXES = ["sig", "att", "sbom"];
const MAX_TAG_LENGTH = 128;

/**
 * The tag of the index that lists what refers to a document (distribution-spec, "Referrers Tag
 * Schema"): `sha256-HEX`, with no more than 64 digits.
 */
export function referrersTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${algorithm}-${hex.slice(0, HEX_CHARACTERS)}`;
}

/** Whether the tag is that of such an index. */
export function isReferrersTag(tag: string): boolean {
  return LIST.test(tag);
}

/** The tags that older versions of cosign give to what they attach: `sha256-HEX.sig`. */
export function cosignTags(digest: Digest): readonly string[] {
  const { algorithm, hex } = parseDigest(digest);
  return COSIGN_SUFFIXES.map((suffix) => `${algorithm}-${hex}.${suffix}`)
    .filter((tag) => tag.length <= MAX_TAG_LENGTH);
}

/** Whether the tag is one of all these: what has it belongs to an image, and is none itself. */
export function isReferrerTag(tag: string): boolean {
  return ANY.test(tag);
}

/** Whether the tag is one of these for the document with this digest. */
export function refersByTag(tag: string, digest: Digest): boolean {
  return isReferrerTag(tag) && tag.startsWith(referrersTag(digest));
}

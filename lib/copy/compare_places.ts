/** What one place has of an image and another one lacks. */

import { plainText } from "../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../types/image.ts";
import { descriptorOf } from "./image_tree.ts";
import type { VerifiedPlace, VerifyProblem } from "./verify_image.ts";

/**
 * The problems of `destination` that its own look has not found. With `byConfig`, two images with the
 * same configuration are the same: it names the content of the layers.
 */
export function comparePlaces(
  source: VerifiedPlace,
  destination: VerifiedPlace,
  byConfig: boolean,
): readonly VerifyProblem[] {
  const problems: VerifyProblem[] = [];
  const told = new Set(destination.problems.map(({ digest }) => digest));
  const isSame = (index: number) => {
    const [one, other] = [source.roots[index]!, destination.roots[index]!];
    if (one.digest === other.digest) return true;
    const config = configOf(one, source);
    return byConfig && config !== undefined && config === configOf(other, destination);
  };
  for (const [index, root] of source.roots.entries()) {
    if (!isSame(index)) problems.push(otherImage(root, destination, index));
  }
  if (byConfig) return problems;
  for (const [digest, { document }] of source.tree) {
    if (destination.tree.has(digest) || told.has(digest)) continue;
    if (source.roots.includes(document)) continue;
    if (!source.own.has(digest) && destination.source.referrers === undefined) continue;
    const what = source.own.has(digest) ? "" : ", which refers to the image";
    problems.push(lacking(document, destination, what));
  }
  return [...problems, ...compareTags(source, destination)];
}

function configOf({ digest }: StoredDocument, { tree }: VerifiedPlace): Digest | undefined {
  return tree.get(digest)?.manifest?.config?.digest;
}

/** Signatures with tags of their own; a place without tags has room for none. */
function compareTags(source: VerifiedPlace, destination: VerifiedPlace): readonly VerifyProblem[] {
  if (destination.source.at === undefined) return [];
  const there = new Map(destination.named.map(({ tag, document }) => [tag, document.digest]));
  return source.named.flatMap(({ tag, document }) => {
    const digest = there.get(tag);
    if (digest === document.digest) return [];
    const message = digest === undefined
      ? `${nameOf(destination)}: the tag ${tag} is not there`
      : `${nameOf(destination)}: the tag ${tag} is ${digest}, and not ${document.digest}`;
    return [problem(digest === undefined ? "missing" : "different", document, message)];
  });
}

function otherImage(
  root: StoredDocument,
  destination: VerifiedPlace,
  index: number,
): VerifyProblem {
  const { digest } = destination.roots[index]!;
  const message = `${nameOf(destination)} is another image: ${digest}, and not ${root.digest}`;
  return problem("different", root, message);
}

function lacking(document: StoredDocument, place: VerifiedPlace, what: string): VerifyProblem {
  const message = `${nameOf(place)} has no manifest ${document.digest}${what}`;
  return problem("missing", document, message);
}

function problem(
  kind: VerifyProblem["kind"],
  document: StoredDocument,
  message: string,
): VerifyProblem {
  const { mediaType, digest, size }: Descriptor = descriptorOf(document);
  return { side: "destination", kind, digest, mediaType, size, message };
}

function nameOf({ source }: VerifiedPlace): string {
  return `The destination ${plainText(source.uri, 300)}`;
}

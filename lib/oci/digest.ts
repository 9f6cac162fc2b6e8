/** Digests: text checked before it can name a file or a URL, and the digest of bytes. */

import { createHash, type Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import type { Digest } from "../types/image.ts";
import { quoteText } from "../text/quote_text.ts";

export type DigestAlgorithm = "sha256" | "sha512";

export interface DigestParts {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hexadecimal digits, as many as the algorithm has. */
  readonly hex: string;
}

/** Splits a digest (image-spec, descriptor.md); throws code `manifest` when it is none. */
export function parseDigest(text: string): DigestParts {
  const parts = splitDigest(text);
  if (parts === undefined) throw invalidDigest(text);
  return parts;
}

export function isDigest(text: string): boolean {
  return splitDigest(text) !== undefined;
}

/** Where a blob lies inside an image layout, relative to it: `blobs/sha256/...`. */
export function blobPath(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** A hash that is to come out as `digest` says. */
export function createDigestHash(digest: Digest): Hash {
  return createHash(parseDigest(digest).algorithm);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Throws code `digest` when `bytes` are not what `expected` names; `what` stands in the message. */
export function verifyDigest(bytes: Uint8Array, expected: Digest, what: string): void {
  const actual = digestOf(bytes, parseDigest(expected).algorithm);
  if (actual !== expected) {
    throw new DenrootError("digest", `${what} has the digest ${actual} instead of ${expected}`);
  }
}

const HEX_LENGTHS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

function splitDigest(text: string): DigestParts | undefined {
  const match = /^(sha256|sha512):([0-9a-f]+)$/.exec(text);
  if (match === null || match[0] !== text) return undefined;
  const algorithm = match[1] as DigestAlgorithm;
  const hex = match[2]!;
  return hex.length === HEX_LENGTHS[algorithm] ? { algorithm, hex } : undefined;
}

function invalidDigest(text: string): DenrootError {
  return new DenrootError(
    "manifest",
    `Not a digest: ${quoteText(text)}`,
    { hint: "A digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits" },
  );
}

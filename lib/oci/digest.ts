/** Digests: their text is checked before it becomes part of a path or URL; bytes are hashed. */

import { createHash, type Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import type { Digest } from "../types/image.ts";
import { quoteText } from "../text/quote_text.ts";

type DigestAlgorithm = "sha256" | "sha512";

interface DigestParts {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hexadecimal digits: 64 for sha256, 128 for sha512. */
  readonly hex: string;
}

/** Splits a digest (image-spec, descriptor.md). Throws code `manifest` for text that is not one. */
export function parseDigest(text: string): DigestParts {
  const parts = splitDigest(text);
  if (parts === undefined) throw invalidDigest(text);
  return parts;
}

export function isDigest(text: string): boolean {
  return splitDigest(text) !== undefined;
}

/** The path of a blob in an image layout, relative to the layout: `blobs/sha256/...`. */
export function blobPath(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** Starts a hash with the algorithm of `digest`. */
export function createDigestHash(digest: Digest): Hash {
  return createHash(parseDigest(digest).algorithm);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Throws code `digest` when `bytes` do not have the digest `expected`; the message begins with `what`. */
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
    `${quoteText(text)} is not a digest`,
    { hint: "A digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits" },
  );
}

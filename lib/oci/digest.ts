/** Digests: their text is checked before it becomes part of a path or URL; bytes are hashed. */

import { createHash, type Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import type { Digest } from "../types/image.ts";
import { plainText, quoteText } from "../text/quote_text.ts";

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

/**
 * The error for text where a digest is expected: code `unsupported` when its algorithm is one that
 * denroot does not know, else `manifest`. The message begins with `what`.
 */
export function digestFault(text: string, what: string): DenrootError {
  const algorithm = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):[\w=-]+$/.exec(text)?.[1];
  if (algorithm !== undefined && !Object.hasOwn(HEX_LENGTHS, algorithm)) {
    return new DenrootError(
      "unsupported",
      `${what} has a digest of the algorithm ${plainText(algorithm, 40)}; ` +
        "denroot knows sha256 and sha512",
    );
  }
  return new DenrootError("manifest", `${what} is invalid: ${quoteText(text)} is not a digest`, {
    hint: DIGEST_HINT,
  });
}

/** Throws code `manifest` when a descriptor's size is not that of the document that it names. */
export function verifySize(bytes: Uint8Array, size: number | undefined, what: string): void {
  if (size === undefined || bytes.length === size) return;
  throw new DenrootError(
    "manifest",
    `${what} has ${bytes.length} bytes, but the index that names it says ${size}`,
  );
}

/** Starts a hash with the algorithm of `digest`. */
export function createDigestHash(digest: Digest): Hash {
  return createHash(parseDigest(digest).algorithm);
}

/** Ends a hash of {@link createDigestHash}: the digest, by the algorithm of `like`, of what it got. */
export function digestOfHash(hash: Hash, like: Digest): Digest {
  return `${parseDigest(like).algorithm}:${hash.digest("hex")}`;
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
    { hint: DIGEST_HINT },
  );
}

const DIGEST_HINT = "A digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits";

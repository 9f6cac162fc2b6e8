/** Verifies and checks a document of an image that is on this machine. */

import { DenrootError, hasCode } from "../errors.ts";
import { verifyDigest, verifySize } from "../oci/digest.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Descriptor, StoredDocument } from "../types/image.ts";

/**
 * Verifies the digest of `bytes` and their size if it is known, and parses them once to find faults
 * early. `path` is the one that the user gave; messages name it. Throws code `digest`, `manifest` for
 * a wrong size, and what `parseManifestOrIndex` throws.
 */
export function toDocument(
  bytes: Uint8Array,
  { digest, mediaType, size }: Pick<Descriptor, "digest"> & Partial<Descriptor>,
  path: string,
): StoredDocument {
  const what = `The manifest ${digest} in ${quotePath(path)}`;
  verifyDigest(bytes, digest, what);
  verifySize(bytes, size, what);
  const parsed = withPath(path, () => parseManifestOrIndex(bytes, mediaType));
  return { mediaType: mediaTypeOf(parsed), digest, bytes };
}

/** Puts the path in front of the message of an error with code `manifest`. */
export function withPath<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!hasCode(cause, "manifest")) throw cause;
    throw new DenrootError("manifest", `${quotePath(path)}: ${cause.message}`, {
      cause,
      hint: cause.hint,
    });
  }
}

/** A document of an image that lies on this machine: verified, and parsed once to be sure of it. */

import { DenrootError, hasCode } from "../errors.ts";
import { verifyDigest } from "../oci/digest.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { quotePath } from "../text/quote_text.ts";
import type { Descriptor, StoredDocument } from "../types/image.ts";

/** `path` is the one that the user gave. Throws code `digest`, `manifest`, `limit`, `unsupported`. */
export function toDocument(
  bytes: Uint8Array,
  { digest, mediaType }: Pick<Descriptor, "digest"> & Partial<Pick<Descriptor, "mediaType">>,
  path: string,
): StoredDocument {
  verifyDigest(bytes, digest, `${quotePath(path)}: manifest ${digest}`);
  const parsed = withPath(path, () => parseManifestOrIndex(bytes, mediaType));
  return { mediaType: mediaTypeOf(parsed), digest, bytes };
}

/** Adds to errors of code `manifest` where the document lies. */
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

/** From an image's outermost document, an index or a manifest, to the platform's manifest. */

import { DenrootError, hasCode, throwIfAborted } from "../errors.ts";
import { choosePlatform } from "../oci/choose_platform.ts";
import { verifyDigest } from "../oci/digest.ts";
import { MAX_INDEX_DEPTH, mediaTypeOf, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { quotePath } from "../text/quote_text.ts";
import type {
  Descriptor,
  Digest,
  Platform,
  ResolvedImage,
  StoredDocument,
} from "../types/image.ts";

/** The documents of an image that lies on this machine. */
export interface DocumentFiles {
  /** The path that the user gave. */
  readonly path: string;
  /** The bytes of a document; they are verified here. */
  read(digest: Digest): Promise<Uint8Array>;
}

/**
 * Resolves the image whose outermost document has the digest `outermost`.
 *
 * Throws code `digest`, `limit`, `platform`, `manifest`, `unsupported`, and what `read` throws.
 */
export async function followManifests(
  outermost: Digest,
  files: DocumentFiles,
  platform: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  let digest = outermost;
  const outer: Descriptor[] = [];
  const documents: StoredDocument[] = [];
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    throwIfAborted(signal);
    const bytes = await files.read(digest);
    verifyDigest(bytes, digest, `${quotePath(files.path)}: manifest ${digest}`);
    const parsed = withPath(files.path, () => parseManifestOrIndex(bytes));
    documents.push({ digest, bytes, mediaType: mediaTypeOf(parsed) });
    if (parsed.kind === "manifest") return { digest, manifest: parsed.manifest, documents };
    digest = choosePlatform(parsed.index.manifests, platform, outer).digest;
    outer.push(...parsed.index.manifests);
  }
  throw new DenrootError("limit", `The image has indexes deeper than ${MAX_INDEX_DEPTH}`);
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

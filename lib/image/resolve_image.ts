/** Finds the image for a platform in a source, in the same way for all transports. */

import { DenrootError, throwIfAborted } from "../errors.ts";
import {
  choosePlatform,
  formatPlatform,
  isAttestation,
  isOrdinary,
  isUsable,
} from "../oci/choose_platform.ts";
import { isManifestType } from "../oci/media_types.ts";
import { MAX_INDEX_DEPTH, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { requireImage } from "../oci/require_image.ts";
import { plainText } from "../text/quote_text.ts";
import type {
  Descriptor,
  Digest,
  IndexEntry,
  Platform,
  ResolvedImage,
  StoredDocument,
} from "../types/image.ts";
import type { ImageContent, ImageSource, RootedSource } from "../types/source.ts";

/**
 * Goes from the source's root through its indexes to the manifest for `platform`. That manifest may
 * describe an artifact that is not an image: {@link contentOf} refuses it.
 *
 * Throws code `platform` when no image fits, `reference` when several images fit equally well,
 * `limit` when indexes are nested too deep, and what the source throws.
 */
export async function resolveImage(
  source: RootedSource,
  platform: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const root = await source.root(signal);
  const documents: StoredDocument[] = [];
  const outer: IndexEntry[] = [];
  let chosen = "images" in root ? chooseOnly(root.images, platform, source.uri) : undefined;
  let said = platformOf(chosen);
  let document = "document" in root ? root.document : await source.document(chosen!, signal);
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    throwIfAborted(signal);
    documents.push(document);
    const parsed = parseManifestOrIndex(document.bytes, document.mediaType);
    if (parsed.kind === "manifest") {
      const { digest } = document;
      return { digest, manifest: parsed.manifest, ...(said && { platform: said }), documents };
    }
    const { manifests } = parsed.index;
    chosen = choosePlatform(manifests, platform, outer);
    said = platformOf(chosen) ?? said;
    outer.push(...manifests);
    document = await source.document(chosen, signal);
  }
  throw new DenrootError(
    "limit",
    `${plainText(source.uri, 300)} has more than ${MAX_INDEX_DEPTH} indexes, one inside the other`,
  );
}

/**
 * The digest of the manifest that {@link resolveImage} would give. An index says it, so that one request
 * is enough where the index is not inside another one.
 */
export async function manifestDigest(
  source: ImageSource,
  platform: Platform,
  signal: AbortSignal,
): Promise<Digest> {
  const root = await source.root(signal);
  if ("document" in root) {
    const { bytes, mediaType, digest } = root.document;
    const parsed = parseManifestOrIndex(bytes, mediaType);
    if (parsed.kind === "manifest") return digest;
    const chosen = choosePlatform(parsed.index.manifests, platform);
    if (isManifestType(chosen.mediaType)) return chosen.digest;
  }
  return (await resolveImage(source, platform, signal)).digest;
}

/**
 * Gives the configuration and layers of a resolved image, in the form that the source has them.
 * Throws code `unsupported` for an artifact that is not an image, and what the source throws.
 */
export async function contentOf(
  source: ImageSource,
  image: ResolvedImage,
  signal: AbortSignal,
): Promise<ImageContent> {
  const manifest = requireImage(image.manifest);
  return await source.contentOf?.({ ...image, manifest }, signal) ?? manifest;
}

/** Images that share a name without an index must all be for different platforms. */
function chooseOnly(images: readonly IndexEntry[], platform: Platform, uri: string): Descriptor {
  const chosen = choosePlatform(images, platform);
  const other = images.find((one) =>
    one.digest !== chosen.digest && isSamePlatform(one, chosen) && isUsable(one) &&
    !isAttestation(one) && isOrdinary(one) === isOrdinary(chosen)
  );
  if (other === undefined) return chosen;
  throw new DenrootError(
    "reference",
    `${plainText(uri, 300)} names several images for ${formatPlatform(platform)}: ` +
      `${chosen.digest} and ${other.digest}`,
    { hint: `Name one of them by its digest: ${plainText(uri.split(":", 1)[0]!)}:PATH@DIGEST` },
  );
}

function platformOf(chosen: Descriptor | undefined): Platform | undefined {
  return chosen?.platform?.architecture ? chosen.platform : undefined;
}

function isSamePlatform({ platform: one }: Descriptor, { platform: other }: Descriptor): boolean {
  return one?.os === other?.os && one?.architecture === other?.architecture &&
    one?.variant === other?.variant;
}

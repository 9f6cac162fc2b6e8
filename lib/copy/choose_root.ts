/** What of an image is copied: all of it, or the platforms that were asked for. */

import { DenrootError, hasCode } from "../errors.ts";
import { isAttestation } from "../oci/choose_platform.ts";
import { digestOf } from "../oci/digest.ts";
import { OCI_INDEX } from "../oci/media_types.ts";
import { requirePlatform } from "../image/resolve_digest.ts";
import { resolveImage } from "../image/resolve_image.ts";
import type { ImageContext } from "../image/image_options.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, IndexEntry, Platform, StoredDocument } from "../types/image.ts";
import type { ImageRoot, ImageSource, RootedSource } from "../types/source.ts";

export interface ChosenRoot {
  readonly root: StoredDocument;
  /** The digest of what the source's reference names; absent where no document stands for it. */
  readonly sourceDigest?: Digest;
  /** Whether an entry of an index belongs to the copy. Absent when all of them do. */
  readonly isWanted?: (entry: IndexEntry) => boolean;
}

type Context = ImageContext & SourceContext & {
  /** Whether an index stays the root for one platform too. */
  readonly keepsIndex?: boolean;
};

/**
 * Chooses from the source's root by `platforms`: none stands for everything, one for its manifest alone, several for the index
 * with only these, and with `keepsIndex` one too.
 *
 * Throws code `platform` when the source has no image for one of them, and what the source throws.
 */
export async function chooseRoot(
  source: ImageSource,
  root: ImageRoot,
  platforms: readonly Platform[],
  context: Context,
): Promise<ChosenRoot> {
  const whole = wholeRoot(root);
  if (platforms.length === 0) return whole;
  const documents: RootedSource = {
    uri: source.uri,
    root: () => Promise.resolve({ document: whole.root }),
    document: (descriptor, signal) => source.document(descriptor, signal),
  };
  const paths: (readonly StoredDocument[])[] = [];
  for (const platform of platforms) {
    try {
      const image = await resolveImage(documents, platform, context.signal);
      await requirePlatform(source, image, { ...context, platform });
      paths.push(image.documents);
    } catch (error) {
      throw hasCode(error, "platform") ? noPlatform(error) : error;
    }
  }
  const manifests = new Set(paths.map((documents) => documents.at(-1)!.digest));
  if (manifests.size === 1 && !context.keepsIndex) return { ...whole, root: paths[0]!.at(-1)! };
  const wanted = new Set(paths.flat().map(({ digest }) => digest));
  return { ...whole, isWanted: (entry) => wanted.has(entry.digest) || isAbout(entry, manifests) };
}

/** An import chooses one image; a copy may take several, or all. */
function noPlatform(cause: DenrootError): DenrootError {
  return new DenrootError("platform", cause.message, {
    cause,
    hint: "Choose another --platform; without one, everything is taken",
  });
}

/** Throws code `usage` where both ways to choose platforms are used. */
export function requireOneChoice(
  { platforms = [], architecture }: {
    readonly platforms?: readonly string[] | undefined;
    readonly architecture?: string | undefined;
  },
): void {
  if (platforms.length === 0 || architecture === undefined) return;
  throw new DenrootError("usage", "A platform has an architecture already: leave out --arch");
}

/** Images that share a name without an index get one. */
function wholeRoot(root: ImageRoot): ChosenRoot {
  if ("document" in root) return { root: root.document, sourceDigest: root.document.digest };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: root.images.map(withoutName) };
  const bytes = new TextEncoder().encode(JSON.stringify(index));
  return { root: { mediaType: OCI_INDEX, digest: digestOf(bytes), bytes } };
}

function withoutName({ mediaType, digest, size, platform }: IndexEntry): object {
  return { mediaType, digest, size, ...(platform && { platform }) };
}

/** BuildKit lists an image's attestations beside it, and names the image in an annotation. */
function isAbout(entry: IndexEntry, manifests: ReadonlySet<Digest>): boolean {
  return isAttestation(entry) && manifests.has(entry.annotations?.[ATTESTED] ?? "");
}

export const ATTESTED = "vnd.docker.reference.digest";

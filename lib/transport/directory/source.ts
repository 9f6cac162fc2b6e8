/** Opens a directory that skopeo wrote, in which every blob is a file: `dir:PATH`. */

import { readdirSync } from "node:fs";
import { DenrootError, hasCode, throwIfAborted } from "../../errors.ts";
import { digestOf, parseDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_SIZE, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { quotePath } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest } from "../../types/image.ts";
import type { DirectoryReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { toDocument } from "../read_document.ts";
import { filesOfDirectory, type ImageFiles, locateBlob, PATH_HINT } from "../image_files.ts";
import type { SourceContext } from "../source_context.ts";

/**
 * Nothing names the digest of `manifest.json`: it cannot be verified. Everything that it names is
 * verified.
 *
 * Throws what `filesOfDirectory` and `toDocument` throw; code `not_found` when the directory has no
 * `manifest.json`.
 */
export async function openDirectory(
  reference: DirectoryReference,
  { signal }: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(signal);
  const files = filesOfDirectory(reference.path);
  const bytes = await readManifest(files);
  const root = toDocument(bytes, { digest: digestOf(bytes) }, reference.path);
  return {
    reference,
    uri: formatReference(reference),
    root: () => Promise.resolve({ document: root }),
    async document(descriptor) {
      const name = `${parseDigest(descriptor.digest).hex}.manifest.json`;
      return toDocument(await files.read(name, MAX_MANIFEST_SIZE), descriptor, reference.path);
    },
    referrers: async (digest) => await readReferrers(reference.path, files, digest),
    place: (descriptor) => locateBlob(files, parseDigest(descriptor.digest).hex, descriptor),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Nothing lists what refers to an image here, but its documents lie beside the image's own. */
async function readReferrers(
  path: string,
  files: ImageFiles,
  subject: Digest,
): Promise<readonly Descriptor[]> {
  const names = readdirSync(path).filter((name) => /^[0-9a-f]{64,128}\.manifest\.json$/.test(name));
  const found: Descriptor[] = [];
  for (const name of names) {
    const bytes = await files.read(name, MAX_MANIFEST_SIZE);
    const algorithm = name.length > 128 ? "sha512" : "sha256";
    const document = toDocument(bytes, { digest: digestOf(bytes, algorithm) }, path);
    const parsed = parseManifestOrIndex(bytes, document.mediaType);
    if (parsed.kind === "manifest" && parsed.manifest.subject?.digest === subject) {
      const { mediaType, digest } = document;
      found.push({ mediaType, digest, size: bytes.length });
    }
  }
  return found;
}

async function readManifest(files: ImageFiles): Promise<Uint8Array> {
  try {
    return await files.read("manifest.json", MAX_MANIFEST_SIZE);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    throw new DenrootError(
      "not_found",
      `${quotePath(files.path)} holds no image: it has no file "manifest.json"`,
      { cause, hint: PATH_HINT },
    );
  }
}

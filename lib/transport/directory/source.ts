/** A directory that skopeo copied an image to, every blob a file: `dir:PATH` -> `Source`. */

import { DenrootError, hasCode, throwIfAborted } from "../../errors.ts";
import { digestOf, parseDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";
import { quotePath } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Digest } from "../../types/image.ts";
import type { DirectoryReference } from "../../types/reference.ts";
import type { Source } from "../../types/source.ts";
import { followManifests } from "../follow_manifests.ts";
import { filesOfDirectory, type ImageFiles, locateBlob, PATH_HINT } from "../image_files.ts";
import type { SourceContext } from "../source_context.ts";

/**
 * The image's manifest has no digest to be held against: `manifest.json` is taken as it is, and all
 * that it leads to is verified.
 *
 * Throws code `not_found` when the directory has no `manifest.json`.
 */
export async function openDirectory(
  reference: DirectoryReference,
  { signal }: SourceContext,
): Promise<Source> {
  throwIfAborted(signal);
  const files = filesOfDirectory(reference.path);
  const bytes = await readManifest(files);
  const outermost = digestOf(bytes);
  const documents = {
    path: reference.path,
    read: (digest: Digest) =>
      digest === outermost
        ? Promise.resolve(bytes)
        : files.read(`${parseDigest(digest).hex}.manifest.json`, MAX_MANIFEST_SIZE),
  };
  return {
    uri: formatReference(reference),
    resolve: (platform, signal) => followManifests(outermost, documents, platform, signal),
    local: (descriptor) => locateBlob(files, parseDigest(descriptor.digest).hex, descriptor),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
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

/** An image layout (image-spec, image-layout.md), wherever its files are -> `Source`. */

import { DenrootError, hasCode } from "../../errors.ts";
import { blobPath } from "../../oci/digest.ts";
import { Fields, parseJsonObject } from "../../oci/json_fields.ts";
import { MAX_MANIFEST_SIZE, parseIndex } from "../../oci/parse_manifest.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest, Platform, ResolvedImage } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";
import type { Source } from "../../types/source.ts";
import { chooseLayoutEntry, namesOf } from "./choose_entry.ts";
import { followManifests, withPath } from "../follow_manifests.ts";
import { type ImageFiles, locateBlob, PATH_HINT } from "../image_files.ts";

const MARKER_LIMIT = 64 * 1024;

/** Throws code `not_found`, `manifest` or `unsupported` when the files are no layout. */
export async function openLayout(files: ImageFiles, reference: OciReference): Promise<Source> {
  await checkMarker(files);
  return sourceOf(files, reference);
}

function sourceOf(files: ImageFiles, reference: OciReference): Source {
  const { scheme, path } = reference;
  return {
    uri: formatReference(reference),
    resolve: (platform, signal) => resolveImage(files, reference, platform, signal),
    local: (descriptor) => locateBlob(files, blobPath(descriptor.digest), descriptor),
    tags: async () => namesOf(await readLayoutEntries(files)),
    at: (tag) => sourceOf(files, { scheme, path, tag }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function checkMarker(files: ImageFiles): Promise<void> {
  const layout = quotePath(files.path);
  let bytes: Uint8Array;
  try {
    bytes = await files.read("oci-layout", MARKER_LIMIT);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    throw new DenrootError(
      "not_found",
      `${layout} is no OCI image layout: it has no file "oci-layout"`,
      { cause, hint: cause.hint ?? PATH_HINT },
    );
  }
  const what = `The file "oci-layout" of ${layout}`;
  const version = new Fields(parseJsonObject(bytes, what), what).string("imageLayoutVersion");
  if (!version.startsWith("1.")) {
    throw new DenrootError(
      "unsupported",
      `${what} says version ${quoteText(version, 20)}; only 1.0.0 is known`,
    );
  }
}

async function resolveImage(
  files: ImageFiles,
  reference: OciReference,
  platform: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const outermost = reference.digest ??
    chooseLayoutEntry(await readLayoutEntries(files), reference, platform).digest;
  const image = await followManifests(
    outermost,
    { path: files.path, read: (digest) => readManifest(files, digest) },
    platform,
    signal,
  );
  for (const { digest } of [image.manifest.config, ...image.manifest.layers]) {
    await files.keep(blobPath(digest));
  }
  return image;
}

/** What the layout's `index.json` lists. Throws code `not_found` or `manifest`. */
export async function readLayoutEntries(files: ImageFiles): Promise<readonly Descriptor[]> {
  const bytes = await files.read("index.json", MAX_MANIFEST_SIZE);
  return withPath(files.path, () => parseIndex(bytes)).manifests;
}

async function readManifest(files: ImageFiles, digest: Digest): Promise<Uint8Array> {
  try {
    return await files.read(blobPath(digest), MAX_MANIFEST_SIZE);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    const message = `${quotePath(files.path)} has no blob ${digest}`;
    throw new DenrootError("not_found", message, { cause, hint: cause.hint });
  }
}

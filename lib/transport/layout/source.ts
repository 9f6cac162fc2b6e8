/** Reads an image layout (image-spec, image-layout.md) from a directory or an archive. */

import { DenrootError, hasCode } from "../../errors.ts";
import { requireUsable } from "../../oci/choose_platform.ts";
import { blobPath } from "../../oci/digest.ts";
import { Fields, parseJsonObject } from "../../oci/json_fields.ts";
import { MAX_MANIFEST_SIZE, parseIndex } from "../../oci/parse_manifest.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, IndexEntry, StoredDocument } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";
import type { ImageContent, ImageRoot, ImageSource } from "../../types/source.ts";
import { type ImageFiles, locateBlob, PATH_HINT } from "../image_files.ts";
import { toDocument, withPath } from "../read_document.ts";
import { LayoutReferrers } from "./referrers.ts";
import { chooseLayoutEntries, namesOf } from "./choose_entries.ts";

/** The largest file `oci-layout` that is read, in bytes. */
const MARKER_LIMIT = 64 * 1024;

/** Throws what {@link checkMarker} throws. */
export async function openLayout(files: ImageFiles, reference: OciReference): Promise<ImageSource> {
  await checkMarker(files);
  return sourceOf(new Layout(files), reference);
}

/** What all images of one layout share: a layout with many images is listed once. */
class Layout {
  readonly files: ImageFiles;
  #entries: Promise<readonly IndexEntry[]> | undefined;
  #referrers: Promise<LayoutReferrers> | undefined;

  constructor(files: ImageFiles) {
    this.files = files;
  }

  get entries(): Promise<readonly IndexEntry[]> {
    return this.#entries ??= readLayoutEntries(this.files);
  }

  get referrers(): Promise<LayoutReferrers> {
    return this.#referrers ??= this.entries
      .then((entries) => LayoutReferrers.read(this.files, entries));
  }
}

function sourceOf(layout: Layout, reference: OciReference): ImageSource {
  const { scheme, path } = reference;
  const { files } = layout;
  return {
    reference,
    uri: formatReference(reference),
    root: () => readRoot(layout, reference),
    document: (descriptor) => readDocument(files, descriptor),
    contentOf: ({ manifest }) => keepContent(files, manifest),
    place: (descriptor) => {
      const name = blobPath(descriptor.digest);
      return files.isSpread?.(name) ? undefined : locateBlob(files, name, descriptor);
    },
    ...(files.stream && {
      blob: ({ digest, size }, { start, end } = { start: 0, end: size }, signal) =>
        files.stream!(blobPath(digest), start, end, signal),
    }),
    referrers: async (digest) => (await layout.referrers).of(digest),
    tags: async () => namesOf(await layout.entries),
    at: (tag) => sourceOf(layout, { scheme, path, tag }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/**
 * Throws code `not_found` when the files are not a layout, `manifest` when its marker is invalid,
 * `unsupported` for a layout of another version than 1.
 */
export async function checkMarker(files: ImageFiles): Promise<void> {
  const layout = quotePath(files.path);
  let bytes: Uint8Array;
  try {
    bytes = await files.read("oci-layout", MARKER_LIMIT);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    throw new DenrootError(
      "not_found",
      `${layout} is not an OCI image layout: it has no file "oci-layout"`,
      { cause, hint: cause.hint ?? PATH_HINT },
    );
  }
  const what = `The file "oci-layout" of ${layout}`;
  const version = new Fields(parseJsonObject(bytes, what), what).string("imageLayoutVersion");
  if (!version.startsWith("1.")) {
    throw new DenrootError(
      "unsupported",
      `${what} has the version ${quoteText(version, 20)}; denroot reads only version 1`,
    );
  }
}

async function readRoot(layout: Layout, reference: OciReference): Promise<ImageRoot> {
  const { files } = layout;
  const { digest } = reference;
  if (digest !== undefined) return { document: await readDocument(files, { digest }) };
  const images = chooseLayoutEntries(await layout.entries, reference);
  const [only, ...others] = images;
  if (others.length > 0) return { images };
  return { document: await readDocument(files, requireUsable(only!)) };
}

/** Writes those blobs of an archive to the disk that are only in memory, because they are small. */
async function keepContent(files: ImageFiles, content: ImageContent): Promise<ImageContent> {
  for (const { digest } of [content.config, ...content.layers]) await files.keep(blobPath(digest));
  return content;
}

/** Reads the entries of the layout's `index.json`. Throws code `not_found` or `manifest`. */
export async function readLayoutEntries(files: ImageFiles): Promise<readonly IndexEntry[]> {
  const bytes = await files.read("index.json", MAX_MANIFEST_SIZE);
  return withPath(files.path, () => parseIndex(bytes)).manifests;
}

async function readDocument(
  files: ImageFiles,
  descriptor: Pick<Descriptor, "digest"> & Partial<Descriptor>,
): Promise<StoredDocument> {
  const { digest } = descriptor;
  let bytes: Uint8Array;
  try {
    bytes = await files.read(blobPath(digest), MAX_MANIFEST_SIZE);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    const message = `${quotePath(files.path)} has no blob ${digest}`;
    throw new DenrootError("not_found", message, { cause, hint: cause.hint });
  }
  return toDocument(bytes, descriptor, files.path);
}

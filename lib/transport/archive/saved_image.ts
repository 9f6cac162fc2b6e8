/**
 * An image as `docker save`, `podman save` and skopeo write it (moby, image/spec/v1.2.md): a
 * `manifest.json` that lists configurations and layers by their names in the archive.
 */

import { DenrootError } from "../../errors.ts";
import { Fields } from "../../oci/json_fields.ts";
import { MAX_INDEX_ENTRIES, MAX_LAYERS, MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import type { ArchiveContents } from "./archive_contents.ts";

const MANIFEST = "manifest.json";

/** What `manifest.json` says of one image: names of files in the archive, base layer first. */
export interface SavedImage {
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly string[];
}

/** Which image of an archive; the only one when nothing is said. */
export interface ImageChoice {
  /** Its name with its tag. */
  readonly image?: string;
  /** Its place, from 0. */
  readonly index?: number;
}

/**
 * Finds the image. Throws code `not_found`; `reference` when it is not clear which is meant;
 * `manifest` for a damaged list.
 */
export function chooseSavedImage(contents: ArchiveContents, choice: ImageChoice): SavedImage {
  const images = readSavedImages(contents);
  if (images.length === 0) {
    throw new DenrootError("not_found", `${contents.name} holds no image`);
  }
  const { image, index } = choice;
  if (index !== undefined) return images[index] ?? fail(noSuchIndex(contents, images, index));
  if (image !== undefined) {
    return images.find(({ tags }) => tags.some((tag) => isSameName(tag, image))) ??
      fail(noSuchImage(contents, images, image));
  }
  const [only, ...others] = images;
  return others.length === 0 ? only! : fail(ambiguous(contents, images));
}

/** All images that the archive lists. Throws code `not_found` or `manifest`. */
export function readSavedImages(contents: ArchiveContents): readonly SavedImage[] {
  const what = `${contents.name}: ${MANIFEST}`;
  if (contents.find(MANIFEST) === undefined) throw notSaved(contents);
  const bytes = contents.read(MANIFEST, MAX_MANIFEST_SIZE);
  let items: unknown;
  try {
    items = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DenrootError("manifest", `${what} is not JSON`, { cause });
  }
  if (!Array.isArray(items)) {
    throw new DenrootError("manifest", `${what} is invalid: it must be an array`, {
      hint: contents.find("version") === undefined
        ? undefined
        : "If skopeo wrote the files inside for dir:, unpack them, and write dir:DIRECTORY",
    });
  }
  if (items.length > MAX_INDEX_ENTRIES) {
    throw new DenrootError(
      "limit",
      `${what} lists ${items.length} images; the limit is ${MAX_INDEX_ENTRIES}`,
    );
  }
  return items.map((item, index) => toSavedImage(new Fields(item, `${what}'s image ${index}`)));
}

function toSavedImage(fields: Fields): SavedImage {
  const layers = fields.strings("Layers");
  if (layers.length > MAX_LAYERS) {
    throw new DenrootError(
      "limit",
      `The image has ${layers.length} layers; the limit is ${MAX_LAYERS}`,
    );
  }
  return { config: fields.string("Config"), layers, tags: fields.strings("RepoTags") };
}

function isSameName(tag: string, image: string): boolean {
  if (tag === image) return true;
  try {
    return fullName(parseImageName(tag)) === fullName(parseImageName(image));
  } catch {
    // Nobody can have meant a name that no image may have.
    return false;
  }
}

function fail(error: DenrootError): never {
  throw error;
}

function notSaved(contents: ArchiveContents): DenrootError {
  if (contents.find("oci-layout") !== undefined) {
    return new DenrootError("not_found", `${contents.name} has no ${MANIFEST}`, {
      hint: "It is an OCI layout: write oci-archive:PATH",
    });
  }
  if (contents.find("repositories") !== undefined) {
    return new DenrootError(
      "unsupported",
      `${contents.name} has no ${MANIFEST}: it was saved by Docker before 1.10`,
      { hint: "Load it into a current Docker, and save it again" },
    );
  }
  if (contents.isEmpty) {
    return new DenrootError("not_found", `${contents.name} is empty`, {
      hint: "The program that was to write it may have failed",
    });
  }
  return new DenrootError(
    "not_found",
    `${contents.name} has no ${MANIFEST}: docker save did not write it`,
    { hint: contents.endHint },
  );
}

function noSuchIndex(
  contents: ArchiveContents,
  images: readonly SavedImage[],
  index: number,
): DenrootError {
  return new DenrootError(
    "not_found",
    `${contents.name} has no image @${index}; it has ${listImages(images)}`,
  );
}

function noSuchImage(
  contents: ArchiveContents,
  images: readonly SavedImage[],
  image: string,
): DenrootError {
  return new DenrootError(
    "not_found",
    `${contents.name} has no image ${quoteText(image)}; it has ${listImages(images)}`,
  );
}

function ambiguous(contents: ArchiveContents, images: readonly SavedImage[]): DenrootError {
  return new DenrootError(
    "reference",
    `${contents.name} holds ${images.length} images: ${listImages(images)}`,
    { hint: "Name one as docker-archive:PATH:NAME:TAG or docker-archive:PATH:@INDEX" },
  );
}

function listImages(images: readonly SavedImage[]): string {
  const names = images.map(({ tags }, index) => tags[0] ?? `@${index}`);
  const rest = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return `${names.slice(0, 20).map((name) => plainText(name)).join(", ")}${rest}`;
}

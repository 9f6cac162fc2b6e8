/**
 * Chooses an image of an archive that `docker save`, `podman save` or skopeo wrote (moby,
 * image/spec/v1.2.md). The archive has a `manifest.json`, which lists the images with the names of
 * their files.
 */

import { DenrootError } from "../../errors.ts";
import { Fields } from "../../oci/json_fields.ts";
import { MAX_INDEX_ENTRIES, MAX_LAYERS, MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";
import { nearestNames } from "../../text/nearest_names.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import type { ArchiveContents } from "./archive_contents.ts";

const MANIFEST = "manifest.json";
const SHOWN_IMAGES = 20;

/** One image in `manifest.json`. */
interface SavedImage {
  /** The name of the configuration's file. */
  readonly config: string;
  /** The names of the layers' files, base first. */
  readonly layers: readonly string[];
  /** The image's names, with their tags. */
  readonly tags: readonly string[];
}

/** Says which image of an archive is meant. When both fields are absent, it is the only image. */
export interface ImageChoice {
  /** The image's name with its tag. */
  readonly image?: string;
  /** The image's position, counted from 0. */
  readonly index?: number;
}

/**
 * Throws code `not_found` when the archive does not have the image, `reference` when it is not clear
 * which image is meant, and what `readSavedImages` throws.
 */
export function chooseSavedImage(contents: ArchiveContents, choice: ImageChoice): SavedImage {
  const images = readSavedImages(contents);
  if (images.length === 0) {
    throw new DenrootError("not_found", `${contents.name} contains no image`);
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

/**
 * Reads all images that the archive lists. Throws code `not_found` or `unsupported` when it has no
 * `manifest.json`, `manifest` when that is invalid, `limit` when it is too long.
 */
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
        : "If skopeo wrote these files for dir:, unpack the archive and write dir:DIRECTORY",
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
    // No image may have this name.
    return false;
  }
}

function fail(error: DenrootError): never {
  throw error;
}

function notSaved(contents: ArchiveContents): DenrootError {
  if (contents.find("oci-layout") !== undefined) {
    return new DenrootError("not_found", `${contents.name} has no ${MANIFEST}`, {
      hint: "The archive is an OCI layout: write oci-archive:PATH",
    });
  }
  if (contents.find("repositories") !== undefined) {
    return new DenrootError(
      "unsupported",
      `${contents.name} has no ${MANIFEST}: it was saved by Docker before 1.10`,
      { hint: "Load the archive into a current Docker, and save the image again" },
    );
  }
  if (contents.isEmpty) {
    return new DenrootError("not_found", `${contents.name} is empty`, {
      hint: "The program that should have written it may have failed",
    });
  }
  return new DenrootError(
    "not_found",
    `${contents.name} has no ${MANIFEST}, so docker save did not write it`,
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
    `${contents.name} has no image ${quoteText(image)}; it has ${listImages(images, image)}`,
    {
      hint: images.length > SHOWN_IMAGES ? "denroot tags docker-archive:PATH lists all" : undefined,
    },
  );
}

function ambiguous(contents: ArchiveContents, images: readonly SavedImage[]): DenrootError {
  return new DenrootError(
    "reference",
    `${contents.name} holds ${images.length} images, and the reference does not name one of ` +
      `them: ${listImages(images)}`,
    { hint: "Name one: docker-archive:PATH:NAME:TAG or docker-archive:PATH:@INDEX" },
  );
}

/** Lists those images first whose names are like `wanted`. */
function listImages(images: readonly SavedImage[], wanted?: string): string {
  const names = images.map(({ tags }, index) => tags[0] ?? `@${index}`);
  const shown = wanted === undefined
    ? names.slice(0, SHOWN_IMAGES)
    : nearestNames(names, wanted, SHOWN_IMAGES);
  const rest = names.length > SHOWN_IMAGES ? ` and ${names.length - SHOWN_IMAGES} more` : "";
  return `${shown.map((name) => plainText(name)).join(", ")}${rest}`;
}

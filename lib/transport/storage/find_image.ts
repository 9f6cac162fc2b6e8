/** Finds the image of a storage that a name, a digest or an ID means. */

import { DenrootError } from "../../errors.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { fullName, type ImageName, parseImageName } from "../../reference/image_name.ts";
import type { Digest } from "../../types/image.ts";
import type { StoredImage } from "./records.ts";
import type { Storage } from "./storage.ts";

interface FoundImage {
  readonly image: StoredImage;
  /** The digest that was asked for: that of the image's manifest, or of an index that names it. */
  readonly digest?: Digest;
}

/**
 * Finds `NAME[:TAG][@DIGEST]`, `NAME@ID`, `@ID` and `ID`; the first 3 or more digits of an ID are
 * enough. A name without a registry means Docker Hub's image, or else `localhost`'s, or else the only
 * image with that name from any registry.
 *
 * Throws code `not_found` when no image fits, `reference` when several do.
 */
export function findImage(storage: Storage, text: string): FoundImage {
  const [, before, id] = /^(.*)@([0-9a-f]{3,64})$/.exec(text) ?? [];
  if (id !== undefined) {
    const image = byId(storage, id);
    if (image === undefined || (before !== "" && !isCalled(image, parseImageName(before!)))) {
      throw notThere(storage, text);
    }
    return { image };
  }
  const name = parseImageName(text);
  const { digest } = name;
  const image = byName(storage, name) ??
    (digest === undefined ? byLastPart(storage, name) : byDigest(storage, name, digest)) ??
    (/^[0-9a-f]{3,64}$/.test(text) ? byId(storage, text) : undefined);
  if (image === undefined) throw notThere(storage, text);
  return { image, ...(digest !== undefined && { digest }) };
}

function byName(storage: Storage, name: ImageName): StoredImage | undefined {
  for (const wanted of candidates(name).map(fullName)) {
    const image = storage.images.find(({ names }) => names.includes(wanted));
    if (image !== undefined) return image;
  }
  return undefined;
}

/** Gives the name with each registry that it may mean. */
function candidates(name: ImageName): readonly ImageName[] {
  return name.registry === undefined ? [name, { ...name, registry: "localhost" }] : [name];
}

/** Finds an image by its name without the registry. */
function byLastPart(storage: Storage, name: ImageName): StoredImage | undefined {
  if (name.registry !== undefined) return undefined;
  const end = `/${name.repository}:${name.tag ?? "latest"}`;
  const images = storage.images.filter(({ names }) => names.some((one) => one.endsWith(end)));
  return onlyOne(images, () => images.flatMap(({ names }) => names).filter((n) => n.endsWith(end)));
}

/** Finds one image of an index; there may be more for other platforms, and `root` chooses later. */
function byDigest(storage: Storage, name: ImageName, digest: Digest): StoredImage | undefined {
  return storage.images.find((image) => hasManifest(image, digest) && isCalled(image, name));
}

function byId(storage: Storage, start: string): StoredImage | undefined {
  const images = storage.images.filter(({ id }) => id.startsWith(start));
  return onlyOne(images, () => images.map(({ id }) => id));
}

/** Whether the image has this name, with any tag or digest. */
function isCalled(image: StoredImage, name: ImageName): boolean {
  const starts = candidates(name)
    .map(({ registry, repository }) => fullName({ registry, repository }).replace(/:latest$/, ""))
    .flatMap((repository) => [`${repository}:`, `${repository}@`]);
  return image.names.some((one) => starts.some((start) => one.startsWith(start)));
}

/** Whether the digest is that of a manifest of the image, or of an index from which it was pulled. */
export function hasManifest(image: StoredImage, digest: Digest): boolean {
  return [...image.documents].some(([name, one]) => one === digest && name.startsWith("manifest"));
}

/** Several images with the same ID count as one: an additional storage may have the image too. */
function onlyOne(
  images: readonly StoredImage[],
  describe: () => readonly string[],
): StoredImage | undefined {
  if (new Set(images.map(({ id }) => id)).size <= 1) return images[0];
  const shown = describe().slice(0, 20).map((text) => plainText(text)).join(", ");
  throw new DenrootError(
    "reference",
    `The reference fits several images of the storage: ${shown}`,
    {
      hint: "Write the whole name, or more digits of the ID",
    },
  );
}

function notThere(storage: Storage, text: string): DenrootError {
  const names = storage.images.flatMap(({ names }) => names);
  const shown = names.slice(0, 20).map((name) => plainText(name)).join(", ");
  const rest = names.length > 20 ? ` and ${names.length - 20} more` : "";
  const has = storage.images.length === 0
    ? "it is empty"
    : names.length === 0
    ? "none of its images has a name"
    : `it has ${shown}${rest}`;
  return new DenrootError(
    "not_found",
    `The storage ${storage.name} has no image ${quoteText(text)}; ${has}`,
  );
}

/** Which of a storage's images a name, a digest or an ID stands for. */

import { DenrootError } from "../../errors.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { fullName, type ImageName, parseImageName } from "../../reference/image_name.ts";
import type { Digest } from "../../types/image.ts";
import type { Storage, StoredImage } from "./storage.ts";

export interface FoundImage {
  readonly image: StoredImage;
  /** The digest that was asked for: the image's manifest's, or that of an index it came from. */
  readonly digest?: Digest;
}

/**
 * Finds `NAME[:TAG][@DIGEST]`, `NAME@ID`, `@ID` and `ID`; an ID may be cut short. A name without a
 * registry is Docker Hub's, else `localhost`'s, else the one image that is called so in any other.
 *
 * Throws code `not_found`, or `reference` when several fit.
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

/** A name with the registries that it may mean. */
function candidates(name: ImageName): readonly ImageName[] {
  return name.registry === undefined ? [name, { ...name, registry: "localhost" }] : [name];
}

/** What was pulled from a registry that the name leaves out. */
function byLastPart(storage: Storage, name: ImageName): StoredImage | undefined {
  if (name.registry !== undefined) return undefined;
  const end = `/${name.repository}:${name.tag ?? "latest"}`;
  const images = storage.images.filter(({ names }) => names.some((one) => one.endsWith(end)));
  return onlyOne(images, () => images.flatMap(({ names }) => names).filter((n) => n.endsWith(end)));
}

/** Of an index's images the storage may have several: the platform decides later. */
function byDigest(storage: Storage, name: ImageName, digest: Digest): StoredImage | undefined {
  return storage.images.find((image) => hasManifest(image, digest) && isCalled(image, name));
}

function byId(storage: Storage, start: string): StoredImage | undefined {
  const images = storage.images.filter(({ id }) => id.startsWith(start));
  return onlyOne(images, () => images.map(({ id }) => id));
}

/** Whether the image came under this name, whatever its version. */
function isCalled(image: StoredImage, name: ImageName): boolean {
  const starts = candidates(name)
    .map(({ registry, repository }) => fullName({ registry, repository }).replace(/:latest$/, ""))
    .flatMap((repository) => [`${repository}:`, `${repository}@`]);
  return image.names.some((one) => starts.some((start) => one.startsWith(start)));
}

/** Whether the image has a manifest, or came from an index, of this digest. */
export function hasManifest(image: StoredImage, digest: Digest): boolean {
  return [...image.documents].some(([name, one]) => one === digest && name.startsWith("manifest"));
}

/** Additional storages may have the same image once more. */
function onlyOne(
  images: readonly StoredImage[],
  describe: () => readonly string[],
): StoredImage | undefined {
  if (new Set(images.map(({ id }) => id)).size <= 1) return images[0];
  const shown = describe().slice(0, 20).map((text) => plainText(text)).join(", ");
  throw new DenrootError("reference", `Several images of the storage fit: ${shown}`, {
    hint: "Write the name in full, or more of the ID",
  });
}

function notThere(storage: Storage, text: string): DenrootError {
  const names = storage.images.flatMap(({ names }) => names);
  const shown = names.slice(0, 20).map((name) => plainText(name)).join(", ");
  const rest = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return new DenrootError(
    "not_found",
    `The storage ${storage.name} has no image ${quoteText(text)}; ${
      names.length === 0 ? "it has none with a name" : `it has ${shown}${rest}`
    }`,
  );
}

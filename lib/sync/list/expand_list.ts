/** Finds the images that a list names: patterns are compared with what registries have. */

import { inParallel } from "../../copy/in_parallel.ts";
import { DenrootError, throwIfAborted } from "../../errors.ts";
import { isReferrerTag } from "../../oci/referrer_tags.ts";
import { familiarHost } from "../../reference/docker_hub.ts";
import { quoteText } from "../../text/quote_text.ts";
import { readCatalog } from "../../transport/registry/catalog.ts";
import type { Reference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { repositoryOf } from "../archive/have.ts";
import { type ListedImage, nameInPlace, nameOfReference } from "../listed_image.ts";
import type { SourcePool } from "../source_pool.ts";
import type { ListItem, PlaceItem, RepositoriesItem } from "./list_item.ts";
import { globTest } from "./name_pattern.ts";

/** What became of an item: its images, or why there are none. */
export type ExpandedItem =
  & { readonly item: ListItem }
  & (
    | { readonly images: readonly ListedImage[] }
    | { readonly error: DenrootError }
  );

export interface ExpandOptions {
  readonly connections: number;
  readonly signal: AbortSignal;
}

/** In the order of the items. Only an interruption is thrown. */
export async function expandList(
  items: readonly ListItem[],
  pool: SourcePool,
  { connections, signal }: ExpandOptions,
): Promise<readonly ExpandedItem[]> {
  return await inParallel(items, connections, signal, async (item) => {
    try {
      const images = item.type === "place"
        ? await imagesOfPlace(item, pool, signal)
        : await imagesOfRepositories(item, pool, signal);
      return { item, images };
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof DenrootError)) throw error;
      return { item, error };
    }
  });
}

/**
 * A layout or an archive without a name stands for all images that have one, or for its only image when
 * none has. An increment may have no images.
 */
async function imagesOfPlace(
  { reference, side }: PlaceItem,
  pool: SourcePool,
  signal: AbortSignal,
): Promise<readonly ListedImage[]> {
  const source = await pool.open(reference, side);
  if (!standsForAll(source.reference)) {
    return [{ source, name: nameOfReference(source.reference) }];
  }
  const { path } = source.reference;
  const texts = await source.tags!(signal);
  if (texts.length === 0 && !pool.inventories.has(path)) {
    return [{ source, name: nameInPlace("latest", path) }];
  }
  return texts
    .map((text) => ({ text, name: nameInPlace(text, path) }))
    .filter(({ name }) => !isReferrerTag(name.tag ?? ""))
    .map(({ text, name }) => ({ source: inRepository(source, text), name }));
}

/**
 * The image with this name. What refers to it by a tag has a full name here, and a tag in the same
 * repository elsewhere.
 */
function inRepository(place: ImageSource, name: string): ImageSource {
  const repository = repositoryOf(name);
  if (repository === name) return place.at!(name);
  const start = `${repository}:`;
  const tags = async (signal: AbortSignal) =>
    (await place.tags!(signal)).filter((other) => other.startsWith(start))
      .map((other) => other.slice(start.length));
  return Object.create(place.at!(name), {
    tags: { value: tags },
    at: { value: (tag: string) => place.at!(`${start}${tag}`) },
  });
}

type Whole = Extract<Reference, { scheme: "oci" | "oci-archive" | "docker-archive" }>;

function standsForAll(reference: Reference): reference is Whole {
  const { scheme } = reference;
  if (scheme === "docker-archive") {
    return reference.image === undefined && reference.index === undefined;
  }
  if (scheme !== "oci" && scheme !== "oci-archive") return false;
  const { tag, digest, index } = reference;
  return tag === undefined && digest === undefined && index === undefined;
}

async function imagesOfRepositories(
  item: RepositoriesItem,
  pool: SourcePool,
  signal: AbortSignal,
): Promise<readonly ListedImage[]> {
  const images: ListedImage[] = [];
  for (const repository of await repositoriesOf(item, pool)) {
    const { registry, user, side } = item;
    const reference = { scheme: "docker", registry, repository, ...(user && { user }) } as const;
    const source = await pool.open({ ...reference, tag: "latest" }, side);
    for (const tag of await source.tags!(signal)) {
      if (isReferrerTag(tag) || !item.tags(tag)) continue;
      const name = { registry: familiarHost(registry), repository, tag };
      images.push({ source: source.at!(tag), name });
    }
  }
  if (images.length > 0) return images;
  throw new DenrootError("not_found", `${quoteText(item.text, 300)} fits no image`, {
    hint: "denroot tags lists a repository's tags, and a registry's repositories",
  });
}

async function repositoriesOf(
  { registry, user, repositories, side }: RepositoriesItem,
  pool: SourcePool,
): Promise<readonly string[]> {
  if (!/[*?]/.test(repositories)) return [repositories];
  const fits = globTest(repositories);
  const all = await readCatalog({ registry, user }, await pool.contextFor(side));
  return all.filter(fits);
}

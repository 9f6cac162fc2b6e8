/** Brings all images of a list to one place. */

import type { CopyOptions } from "../copy/copy_image.ts";
import type { SideOptions } from "../copy/side_options.ts";
import { DenrootError } from "../errors.ts";
import { type ImageContext, imageContext, type ImageOptions } from "../image/image_options.ts";
import { openStore } from "../store/open_cache.ts";
import { secondsSince } from "../text/seconds_since.ts";
import type { SourceContext } from "../transport/source_context.ts";
import { formatReference } from "../reference/format_reference.ts";
import { openLayoutPlaces, openRegistryPlaces, type Places } from "./destination/open_places.ts";
import { plainText } from "../text/quote_text.ts";
import { parseTarget, type SyncTarget } from "./destination/parse_target.ts";
import { type ExpandedItem, expandList } from "./list/expand_list.ts";
import type { ListItem } from "./list/list_item.ts";
import type { ListedImage } from "./listed_image.ts";
import { type ArchivedImage, archivedImages } from "./archive/archived_images.ts";
import { Arrivals } from "./archive/arrivals.ts";
import { absolutePath } from "../system/files/real_names.ts";
import { checkNeeds } from "./archive/check_needs.ts";
import {
  type ArchiveOptions,
  openArchivePlaces,
  refuseArchiveOptions,
} from "./archive/open_archive_places.ts";
import { readLists } from "./list/read_lists.ts";
import { checkPrune, pruneAfter } from "./prune_after.ts";
import { SourcePool } from "./source_pool.ts";
import { type IsNewer, syncAll, tell } from "./sync_all.ts";
import type { SyncedImage } from "./sync_image.ts";

export interface SyncOptions
  extends
    ImageOptions,
    Omit<ArchiveOptions, "force">,
    Pick<CopyOptions, "platforms" | "sparse" | "force" | "withoutReferrers" | "dryRun"> {
  readonly source?: SideOptions | undefined;
  readonly destination?: SideOptions | undefined;
  /** Whether the images' registries become a part of their names in another registry. */
  readonly scoped?: boolean | undefined;
  /** Whether the other images are copied after one has failed. */
  readonly keepGoing?: boolean | undefined;
  /**
   * Removes from a registry what the list no longer names, if it says yes to these URIs. It is not
   * asked on a first run, when no image had its name there yet, nor when an image failed.
   */
  readonly prune?: ((uris: readonly string[]) => Promise<boolean>) | undefined;
}

export interface SyncResult {
  /** As it was given. */
  readonly destination: string;
  /** In the order of the list. After a failure without `keepGoing` some may be left out. */
  readonly images: readonly SyncedImage[];
  /** The URIs of the tags that were pruned. */
  readonly removed: readonly string[];
  /** The size of the blobs that were sent. */
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * `lists` are files with lists, URIs and patterns. What failed is in the result.
 *
 * Throws {@link DenrootError} when the lists or the destination cannot be used, or `signal` aborts.
 */
export async function syncImages(
  lists: readonly string[],
  to: string,
  options: SyncOptions = {},
): Promise<SyncResult> {
  const started = performance.now();
  const target = parseTarget(to, options.scoped ?? false);
  if (target.type !== "archive") refuseArchiveOptions(options);
  const items = await readLists(lists);
  if (options.prune !== undefined) checkPrune(items, target);
  const context = await imageContext(options);
  using cache = openStore(context.settings, context.onProgress);
  const places = { ...context, blobs: cache };
  await using pool = new SourcePool(places, options.source ?? {});
  const run = { to, target, items, pool, options, cache, context: places };
  const synced = await toPlaces(run);
  const seconds = secondsSince(started);
  return { destination: to, ...synced, seconds };
}

interface SyncRun {
  readonly to: string;
  readonly target: SyncTarget;
  readonly items: readonly ListItem[];
  readonly pool: SourcePool;
  readonly options: SyncOptions;
  readonly cache: ReturnType<typeof openStore>;
  readonly context: ImageContext & SourceContext;
}

type Synced = Pick<SyncResult, "images" | "removed" | "bytes">;

async function toPlaces(run: SyncRun): Promise<Synced> {
  const { to, target, items, pool, options, cache, context } = run;
  const { settings: { maxConnections: connections }, signal } = context;
  await using places = await openPlaces(run);
  const expanded = await expandList(items, pool, { connections, signal });
  const found = expanded.flatMap((one) => "images" in one ? one.images : []);
  const broken = expanded.flatMap((one) => "error" in one ? [failedItem(one, to, context)] : []);
  if (broken.length > 0 && !options.keepGoing) return { images: broken, removed: [], bytes: 0 };
  const images = withoutRepetitions(found, places);
  const archived = archivedImages(images, pool.inventories);
  const lenders = await checkNeeds(archived, places, { connections, signal });
  const isNewer = await noteArrivals(archived, places, run);
  const synced = await syncAll(images, places, { lenders, isNewer, options, cache, context });
  const hasFailed = synced.some(({ fate }) => fate === "failed");
  const results = [
    ...broken,
    ...hasFailed && !options.keepGoing ? synced : await finished(synced, places, run),
  ];
  const removed = options.prune === undefined || target.type !== "registry"
    ? []
    : await pruneAfter(results, images, places, target, {
      side: options.destination ?? {},
      confirm: options.prune,
      context,
    });
  return { images: results, removed, bytes: places.bytes };
}

async function openPlaces({ target, options, cache, context }: SyncRun): Promise<Places> {
  if (target.type === "registry") {
    return await openRegistryPlaces(target, context, options.destination ?? {});
  }
  if (target.type === "layout") return await openLayoutPlaces(target.path, context);
  return await openArchivePlaces(
    target.path,
    options,
    context,
    (digest) => cache.remove(digest),
  );
}

/** Writes what was only noted so far. */
async function finished(
  images: readonly SyncedImage[],
  places: Places,
  { options, context }: SyncRun,
): Promise<readonly SyncedImage[]> {
  if (places.finish === undefined || options.dryRun) return images;
  if (await places.finish()) {
    for (const image of images) if (image.fate === "copied") tell(image, context.onProgress);
    return images;
  }
  return images.map((image) => image.fate === "copied" ? { ...image, fate: "present" } : image);
}

/** What an archive brings is noted before, so that it is known also after a run that was killed. */
async function noteArrivals(
  archived: readonly ArchivedImage[],
  places: Places,
  { target, options, context: { settings } }: SyncRun,
): Promise<IsNewer> {
  if (archived.length === 0 || options.force || target.type === "archive") return () => false;
  const place = target.type === "registry" ? target.registry : absolutePath(target.path);
  const arrivals = new Arrivals(settings.cachePath, place);
  const created = new Map<ListedImage, string>();
  const uriOf = ({ name }: ListedImage) => formatReference(places.referenceOf(name));
  for (const { image, inventory, entry } of archived) {
    created.set(image, inventory.created);
    arrivals.note(uriOf(image), { created: inventory.created, digest: entry.digest });
  }
  if (!options.dryRun) await arrivals.save();
  return (image, current) => {
    const time = created.get(image);
    return time !== undefined && arrivals.isNewer(uriOf(image), current, time);
  };
}

/** Each image of the destination once. Throws code `usage` when two images would have one name. */
function withoutRepetitions(
  images: readonly ListedImage[],
  places: Places,
): readonly ListedImage[] {
  const named = new Map<string, ListedImage>();
  for (const image of images) {
    const uri = formatReference(places.referenceOf(image.name));
    const other = named.get(uri);
    if (other !== undefined && other.source.uri !== image.source.uri) {
      throw new DenrootError(
        "usage",
        `${plainText(other.source.uri, 300)} and ${plainText(image.source.uri, 300)} would both ` +
          `become ${plainText(uri, 300)}`,
        { hint: nameHint(other, image) },
      );
    }
    named.set(uri, image);
  }
  return [...named.values()];
}

function nameHint(...images: readonly ListedImage[]): string {
  return images.every(({ source: { reference } }) => reference.scheme === "oci-archive")
    ? "Read the archives one after the other, in any order: the image of the newest one stays"
    : "With --scoped each name has its registry in it";
}

function failedItem(
  { item, error }: Extract<ExpandedItem, { error: DenrootError }>,
  to: string,
  { onProgress }: ImageContext,
): SyncedImage {
  const failed = { source: item.text, destination: to, fate: "failed", error } as const;
  tell(failed, onProgress);
  return failed;
}

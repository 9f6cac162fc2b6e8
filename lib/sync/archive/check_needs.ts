/** Whether the destination has what incremental archives need, before anything is sent there. */

import { inParallel } from "../../copy/in_parallel.ts";
import { DenrootError, throwIfAborted } from "../../errors.ts";
import { parseImageName } from "../../reference/image_name.ts";
import { plainText } from "../../text/quote_text.ts";
import type { Digest } from "../../types/image.ts";
import type { Places } from "../destination/open_places.ts";
import type { ListedImage } from "../listed_image.ts";
import type { ArchivedImage } from "./archived_images.ts";
import type { NeededBlob } from "./inventory.ts";

/** Repositories of the destination that have blobs of an image, by the image. */
export type Lenders = ReadonlyMap<ListedImage, readonly string[]>;

export interface NeedsOptions {
  readonly connections: number;
  readonly signal: AbortSignal;
}

/**
 * Images that are at the destination already need nothing. Throws code `not_found` with what the
 * destination lacks.
 */
export async function checkNeeds(
  images: readonly ArchivedImage[],
  places: Places,
  { connections, signal }: NeedsOptions,
): Promise<Lenders> {
  const lenders = new Map<ListedImage, readonly string[]>();
  const lacking = new Map<Digest, string>();
  let archive = "";
  await inParallel(images, connections, signal, async (archived, signal) => {
    const { image, inventory, entry } = archived;
    if (inventory.needs.length === 0) return;
    const place = await places.open(image.name);
    if (await place.current(signal) === entry.digest) return;
    const own = new Set(entry.blobs);
    const found = new Set<string>();
    for (const need of inventory.needs.filter(({ digest }) => own.has(digest))) {
      throwIfAborted(signal);
      const holder = await findHolder(need, image, places, signal);
      if (holder !== undefined) found.add(holder);
      else lacking.set(need.digest, entry.name);
      if (holder === undefined) archive = archived.path;
    }
    lenders.set(image, [...found]);
  });
  if (lacking.size > 0) throw lacks(archive, lacking);
  return lenders;
}

/** A repository of the destination that has the blob. */
async function findHolder(
  need: NeededBlob,
  { name }: ListedImage,
  places: Places,
  signal: AbortSignal,
): Promise<string | undefined> {
  const candidates = need.in.map((repository) => ({
    ...parseImageName(repository),
    tag: name.tag ?? "latest",
  }));
  for (const candidate of [name, ...candidates]) {
    const place = await places.open(candidate);
    if (await place.hasBlob({ ...need, mediaType: "" }, signal)) {
      const target = places.referenceOf(candidate);
      return target.scheme === "docker" ? target.repository : target.path;
    }
  }
  return undefined;
}

const SHOWN = 10;

function lacks(archive: string, lacking: ReadonlyMap<Digest, string>): DenrootError {
  const shown = [...lacking].slice(0, SHOWN)
    .map(([digest, image]) => `${digest} (${plainText(image, 200)})`);
  const rest = lacking.size > SHOWN ? ` and ${lacking.size - SHOWN} more` : "";
  const [count, verb] = lacking.size === 1 ? ["a blob", "is"] : [`${lacking.size} blobs`, "are"];
  return new DenrootError(
    "not_found",
    `The archive ${plainText(archive, 300)} needs ${count} that ${verb} neither in it nor at the ` +
      `destination: ${shown.join(", ")}${rest}`,
    {
      hint:
        "Nothing was sent. Read the earlier archives first, in any order; or write one that has " +
        "everything, without --since and --have",
    },
  );
}

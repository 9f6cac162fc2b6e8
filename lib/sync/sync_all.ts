/** Brings images to their places, several at once. */

import type { CopyOptions } from "../copy/copy_image.ts";
import { inParallel } from "../copy/in_parallel.ts";
import type { CopyCache } from "../copy/open_stored_blob.ts";
import { SideError } from "../copy/sides.ts";
import { messageOf } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { Lenders } from "./archive/check_needs.ts";
import type { Places } from "./destination/open_places.ts";
import { imageProgress, logsOnly } from "./image_progress.ts";
import type { ListedImage } from "./listed_image.ts";
import { type SyncedImage, syncImage } from "./sync_image.ts";

/** Whether a name has what a later archive brought, and not this image. */
export type IsNewer = (image: ListedImage, current: Digest | undefined) => boolean;

export interface SyncAllOptions {
  readonly options: CopyOptions & { readonly keepGoing?: boolean | undefined };
  readonly lenders: Lenders;
  readonly isNewer: IsNewer;
  readonly cache: CopyCache;
  readonly context: ImageContext & SourceContext;
}

/** In the order of `images`. After a failure, without `keepGoing`, no further image begins. */
export async function syncAll(
  images: readonly ListedImage[],
  places: Places,
  all: SyncAllOptions,
): Promise<readonly SyncedImage[]> {
  const { options: { keepGoing = false }, context } = all;
  const { settings: { maxConnections }, signal, onProgress } = context;
  const isNoted = places.finish !== undefined;
  const progressOf = isNoted ? () => logsOnly(onProgress) : imageProgress(onProgress);
  const sync = (image: ListedImage) => syncOne(image, places, progressOf(), all);
  let isStopped = false;
  const told = (result: SyncedImage) => {
    if (result.fate !== "copied" || !isNoted) tell(result, onProgress);
    if (result.fate === "failed" && !keepGoing) isStopped = true;
    return result;
  };
  const results = await inParallel(images, maxConnections, signal, async (image) => {
    if (isStopped) return undefined;
    const result = await sync(image);
    return mayBeDisturbed(result) ? result : told(result);
  });
  const synced: SyncedImage[] = [];
  for (const [index, result] of results.entries()) {
    if (result === undefined || isStopped && mayBeDisturbed(result)) continue;
    synced.push(mayBeDisturbed(result) ? told(await sync(images[index]!)) : result);
  }
  return synced;
}

async function syncOne(
  image: ListedImage,
  places: Places,
  onProgress: OnProgress,
  { options, lenders, isNewer, cache, context }: SyncAllOptions,
): Promise<SyncedImage> {
  return await syncImage(image, places, {
    copy: { ...options, source: undefined, destination: undefined },
    cache,
    context: { ...context, onProgress },
    fromRepositories: lenders.get(image) ?? [],
    isNewer: (current) => isNewer(image, current),
  });
}

/**
 * Whether the image may come over alone. A registry that stores a manifest anew, for another image, may
 * deny for that moment that it has it.
 */
function mayBeDisturbed({ error }: SyncedImage): boolean {
  return error instanceof SideError && error.side === "destination" &&
    (error.code === "registry" || error.code === "not_found");
}

/** What did not change is not told of: a list may have thousands of such images. */
export function tell(
  { destination, fate, digest, error }: SyncedImage,
  onProgress: OnProgress,
): void {
  const log = (level: "info" | "warn", message: string) =>
    onProgress({ type: "log", level, message });
  switch (fate) {
    case "failed":
      return log("warn", messageOf(error));
    case "newer":
      return log("info", `${destination} stays ${digest}, which a later archive brought`);
    case "missing":
      return log("info", `Would copy ${destination}, ${digest}`);
    case "copied":
      return log("info", `Copied ${destination}, ${digest}`);
  }
}

/** When a list's destination may be pruned, and of what. */

import { DenrootError } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import { formatReference } from "../reference/format_reference.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Places } from "./destination/open_places.ts";
import type { SyncTarget } from "./destination/parse_target.ts";
import type { ListItem } from "./list/list_item.ts";
import type { ListedImage } from "./listed_image.ts";
import { type KeptImage, pruneRegistry, type PruneRegistryOptions } from "./prune_registry.ts";
import type { SyncedImage } from "./sync_image.ts";

/** Throws code `usage` where the list cannot tell what is to stay, or the destination forgets nothing. */
export function checkPrune(items: readonly ListItem[], target: SyncTarget): void {
  if (target.type !== "registry") {
    throw new DenrootError("usage", "Only a registry is pruned", {
      hint: "Write a new layout or archive instead",
    });
  }
  const archive = items.find((item) =>
    item.type === "place" && item.reference.scheme.endsWith("archive")
  );
  if (archive === undefined) return;
  throw new DenrootError(
    "usage",
    "An archive may have a part of the images only: nothing is pruned",
    {
      hint: "Leave out --prune, or name the images in a list",
    },
  );
}

/** `results` are those of `images`, without a failure; `places` are a registry's. */
export async function pruneAfter(
  results: readonly SyncedImage[],
  images: readonly ListedImage[],
  places: Places,
  target: Extract<SyncTarget, { type: "registry" }>,
  options: PruneRegistryOptions & { readonly context: ImageContext & SourceContext },
): Promise<readonly string[]> {
  const tell = (message: string) =>
    options.context.onProgress({ type: "log", level: "info", message });
  if (results.some(({ fate }) => fate === "failed")) {
    tell("Nothing is pruned, because an image failed");
    return [];
  }
  const wasThere = results.some(({ fate, previous }) =>
    fate === "present" || previous !== undefined
  );
  if (!wasThere) {
    tell("Nothing is pruned, because this is the first run: no image had its name there before");
    return [];
  }
  const digests = new Map(results.map(({ destination, digest }) => [destination, digest]));
  const kept = images.flatMap(({ name }): readonly KeptImage[] => {
    const reference = places.referenceOf(name);
    const digest = digests.get(formatReference(reference));
    return reference.scheme === "docker" && digest ? [{ reference, digest }] : [];
  });
  return await pruneRegistry(kept, target, options);
}

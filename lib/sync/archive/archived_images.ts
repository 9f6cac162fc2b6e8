/** The images of a list that come from archives with an inventory. */

import type { ListedImage } from "../listed_image.ts";
import type { Inventory, InventoryImage } from "./inventory.ts";

export interface ArchivedImage {
  readonly image: ListedImage;
  /** The archive's. */
  readonly path: string;
  readonly inventory: Inventory;
  readonly entry: InventoryImage;
}

/** `inventories` are by the paths of the archives. */
export function archivedImages(
  images: readonly ListedImage[],
  inventories: ReadonlyMap<string, Inventory>,
): readonly ArchivedImage[] {
  const entries = new Map(
    [...inventories].map(([path, { images }]) =>
      [path, new Map(images.map((entry) => [entry.name, entry]))] as const
    ),
  );
  return images.flatMap((image) => {
    const { reference } = image.source;
    if (reference.scheme !== "oci-archive" || reference.tag === undefined) return [];
    const { path } = reference;
    const inventory = inventories.get(path);
    const entry = entries.get(path)?.get(reference.tag);
    return inventory && entry ? [{ image, path, inventory, entry }] : [];
  });
}

/** The inventory of an archive that is there. */

import { hasCode } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import { type ArchiveLayout, openArchiveFiles } from "../../transport/layout/oci_archive.ts";
import type { SourceContext } from "../../transport/source_context.ts";
import { INVENTORY, type Inventory, MAX_INVENTORY_BYTES, parseInventory } from "./inventory.ts";

/** Undefined for an archive that is not one for a gap. Throws code `manifest` for a broken inventory. */
export async function readInventory(
  archive: ArchiveLayout,
  path: string,
): Promise<Inventory | undefined> {
  const bytes = await archive.read(INVENTORY, MAX_INVENTORY_BYTES);
  return bytes && parseInventory(bytes, `The inventory of ${quotePath(path)}`);
}

/** Opens the archive for it. Undefined too for a file that is no such archive. */
export async function inventoryAt(
  path: string,
  context: SourceContext,
): Promise<Inventory | undefined> {
  try {
    const archive = await openArchiveFiles({ scheme: "oci-archive", path }, context);
    return await readInventory(archive, path);
  } catch (error) {
    if (hasCode(error, "aborted")) throw error;
    return undefined;
  }
}

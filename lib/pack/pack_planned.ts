/** Packing with a plan made from all layers' headers: see `merge/plan_merge.ts`. */

import { PlanMerge } from "../merge/plan_merge.ts";
import { usableMode } from "../enroot/permissions.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";
import type { Emission } from "./emission.ts";
import { ownPlaces } from "./own_places.ts";
import type { PackInput, ReadLayer } from "./pack_messages.ts";
import { replayVisitor } from "./replay.ts";
import { OtherRootMode } from "./restart.ts";

/** Throws OtherRootMode when it must begin anew. */
export async function packPlanned(
  input: PackInput,
  readLayer: ReadLayer,
  emission: Emission,
): Promise<void> {
  const merge = new PlanMerge();
  const headers: TarVisitor = {
    entry(entry) {
      merge.entry(entry);
      return false;
    },
    content() {},
  };
  for (let layer = 0; layer < input.layerNames.length; layer++) {
    merge.beginLayer();
    await readLayer(layer, headers, "first");
  }
  const rootMode = usableMode("directory", merge.rootMode ?? input.rootMode);
  if (rootMode !== input.rootMode) throw new OtherRootMode(rootMode);

  const places = ownPlaces(merge, input.ownFiles, input.workingDir);
  for (const place of places.files.keys()) merge.remove(place);
  const { layers, implied } = merge.selections(input.layerNames.length);
  for (const path of implied) emission.directory(path);
  for (const path of places.directories) emission.directory(path);
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    if (layers[layer]!.size === 0) continue;
    const replay = replayVisitor(layers[layer]!, emission);
    await readLayer(layer, replay, "again");
    replay.end();
    layers[layer]!.clear();
  }
  for (const [path, file] of places.files) emission.ownFile(path, file);
}

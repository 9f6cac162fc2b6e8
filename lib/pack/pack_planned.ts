/** Packing with a plan made from the headers of all layers: see `merge/plan_merge.ts`. */

import { PlanMerge } from "../merge/plan_merge.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";
import type { Emission } from "./emission.ts";
import type { PackInput, ReadLayer } from "./pack_messages.ts";
import { replayVisitor } from "./replay.ts";
import { resolveOwnFiles } from "./resolve_own_files.ts";

/** Throws OtherRootMode when the packing must start again. */
export async function packPlanned(
  input: PackInput,
  readLayer: ReadLayer,
  emission: Emission,
): Promise<void> {
  const merge = await readHeaders(input.layerNames.length, readLayer);
  if (merge.rootMode !== undefined) emission.root(merge.rootMode);

  const own = resolveOwnFiles(merge, input.ownFiles, input.workingDir);
  for (const path of own.files.keys()) merge.remove(path);
  const { layers, implied } = merge.selections(input.layerNames.length);
  for (const path of implied) emission.directory(path);
  for (const path of own.directories) emission.directory(path);
  const needed = [...layers.keys()].reverse().filter((layer) => layers[layer]!.size > 0);
  for (const [at, layer] of needed.entries()) {
    const replay = replayVisitor(layers[layer]!, emission);
    await readLayer(layer, replay, "again", needed.slice(at + 1));
    replay.end();
    layers[layer]!.clear();
  }
  for (const [path, file] of own.files) emission.ownFile(path, file);
}

async function readHeaders(layerCount: number, readLayer: ReadLayer): Promise<PlanMerge> {
  const merge = new PlanMerge();
  const headers: TarVisitor = {
    entry(entry) {
      merge.entry(entry);
      return false;
    },
    content() {},
  };
  const baseFirst = [...Array(layerCount).keys()];
  for (const layer of baseFirst) {
    merge.beginLayer();
    await readLayer(layer, headers, "first", baseFirst.slice(layer + 1));
  }
  return merge;
}

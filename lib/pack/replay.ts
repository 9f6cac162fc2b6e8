/** Emits the selected entries of a layer when the layer is read again. */

import type { Selection } from "../merge/layer_notes.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";
import type { Emission } from "./emission.ts";

/** The first name of each selected entry gets the content; the others become links to it. */
export function replayVisitor(
  selection: Selection,
  emission: Emission,
): TarVisitor & { end(): void } {
  let links: readonly string[] = [];
  let first = "";
  const emitLinks = () => {
    for (const path of links) emission.link(path, first);
    links = [];
  };
  return {
    entry(entry: TarEntry): boolean {
      emitLinks();
      const names = selection.get(entry.ordinal);
      if (names === undefined || names[0] === "") return false;
      first = names[0]!;
      links = names.slice(1);
      emission.entry(entry, first, entry.linkPath);
      return entry.size > 0;
    },
    content: (bytes) => emission.content(bytes),
    end: emitLinks,
  };
}

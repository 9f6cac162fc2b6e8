/** Packing while layers stream by: see `merge/stream_merge.ts`. */

import { baseName } from "../merge/clean_path.ts";
import { NeedsPlan } from "../merge/needs_plan.ts";
import { type Decision, StreamMerge } from "../merge/stream_merge.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarVisitor } from "../tar/tar_parser.ts";
import type { Emission } from "./emission.ts";
import type { PackInput, ReadLayer } from "./pack_messages.ts";
import { replayVisitor } from "./replay.ts";
import { resolveOwnFiles } from "./resolve_own_files.ts";

/**
 * A file of the image that is held back: one of denroot's own files may replace it, as symlinks of
 * lower layers decide.
 */
interface HeldFile {
  readonly entry: TarEntry;
  readonly content: Uint8Array[];
}

const MAX_HELD_SIZE = 64 * 1024;
const MAX_HELD_FILES = 1000;

/** Throws NeedsPlan or OtherRootMode when the packing must start again. */
export async function packStreamed(
  input: PackInput,
  readLayer: ReadLayer,
  emission: Emission,
): Promise<void> {
  const packing = new StreamedPacking(input, emission);
  const topFirst = [...input.layerNames.keys()].reverse();
  for (const [at, layer] of topFirst.entries()) {
    packing.merge.beginLayer();
    await readLayer(layer, packing, "first", topFirst.slice(at + 1));
    const selection = packing.merge.endLayer();
    if (selection.size === 0) continue;
    // A file whose own name is hidden has links: its content passed by unused, so it is read again.
    const replay = replayVisitor(selection, emission);
    await readLayer(layer, replay, "again", []);
    replay.end();
  }
  packing.finish();
}

class StreamedPacking implements TarVisitor {
  readonly merge: StreamMerge;
  readonly #input: PackInput;
  readonly #emission: Emission;
  readonly #ownNames: ReadonlySet<string>;
  readonly #held = new Map<string, HeldFile>();
  #holding: HeldFile | undefined;

  constructor(input: PackInput, emission: Emission) {
    this.#input = input;
    this.#emission = emission;
    this.merge = new StreamMerge(input.layerNames.length);
    this.#ownNames = new Set(input.ownFiles.map(({ path }) => baseName(path)));
  }

  entry(entry: TarEntry): boolean {
    this.#holding = undefined;
    const decision = this.merge.entry(entry);
    if (decision.action === "drop") return false;
    if (decision.path === "") {
      this.#emission.root(entry.mode);
      return false;
    }
    if (this.#mayHold(entry, decision)) {
      this.#holding = { entry: { ...entry }, content: [] };
      this.#held.set(decision.path, this.#holding);
      return true;
    }
    if (entry.type === "hardlink" && this.#held.has(decision.linkPath)) {
      throw new NeedsPlan(`'${decision.linkPath}' has links and may have to be replaced`);
    }
    this.#emission.entry(entry, decision.path, decision.linkPath);
    return entry.size > 0;
  }

  content(bytes: Uint8Array): void {
    if (this.#holding === undefined) this.#emission.content(bytes);
    else this.#holding.content.push(Uint8Array.from(bytes));
  }

  /** Emits everything that had to wait for the last layer. */
  finish(): void {
    const { merge } = this;
    const own = resolveOwnFiles(merge, this.#input.ownFiles, this.#input.workingDir);
    for (const path of own.files.keys()) {
      if (merge.lookup(path).kind !== "absent" && !this.#held.delete(path)) {
        throw new NeedsPlan(`The image's '${path}' has to be replaced, but is packed already`);
      }
    }
    for (const path of merge.impliedDirectories()) this.#emission.directory(path);
    for (const path of own.directories) this.#emission.directory(path);
    for (const [path, { entry, content }] of this.#held) {
      this.#emission.entry(entry, path, "");
      for (const bytes of content) this.#emission.content(bytes);
    }
    for (const [path, file] of own.files) this.#emission.ownFile(path, file);
  }

  /**
   * A file is held back for its name: symlinks at the paths of denroot's own files lead to such
   * names.
   */
  #mayHold(entry: TarEntry, decision: Decision & { action: "emit" }): boolean {
    return entry.type === "file" && entry.size <= MAX_HELD_SIZE &&
      this.#held.size < MAX_HELD_FILES && this.#ownNames.has(baseName(decision.path));
  }
}

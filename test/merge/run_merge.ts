/** Merges drafts of layers in both ways, and lists what the image would have. */

import assert from "node:assert/strict";
import { PathError } from "../../lib/merge/clean_path.ts";
import { type Selection } from "../../lib/merge/layer_notes.ts";
import { NeedsPlan } from "../../lib/merge/needs_plan.ts";
import { PlanMerge } from "../../lib/merge/plan_merge.ts";
import { StreamMerge } from "../../lib/merge/stream_merge.ts";
import type { EntryType, TarEntry } from "../../lib/tar/entry.ts";

export type Draft = {
  readonly type: EntryType;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
};
/** Layers, base first. */
export type Stack = readonly (readonly Draft[])[];
/** By path: `file 1:3` has the content of layer 1's entry 3, `directory 755` has that mode. */
export type Listing = Record<string, string>;

/** Gives the result of streaming; undefined when streaming gives up. Throws PathError. */
export function stream(layers: Stack): Listing | undefined {
  const merge = new StreamMerge(layers.length);
  const output = new Output();
  try {
    for (let layer = layers.length - 1; layer >= 0; layer--) {
      merge.beginLayer();
      for (const entry of entriesOf(layers[layer]!)) {
        const decision = merge.entry(entry);
        if (decision.action === "emit") {
          output.emit(layer, entry, decision.path, decision.linkPath);
        }
      }
      output.replay(layer, layers[layer]!, merge.endLayer());
    }
  } catch (error) {
    if (error instanceof NeedsPlan) return undefined;
    throw error;
  }
  for (const path of merge.impliedDirectories()) output.directory(path);
  return output.listing();
}

/** Gives the result of the plan, or the message of its PathError. */
export function plan(layers: Stack): Listing | string {
  const merge = new PlanMerge();
  try {
    for (const layer of layers) {
      merge.beginLayer();
      for (const entry of entriesOf(layer)) merge.entry(entry);
    }
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
  const output = new Output();
  const { layers: selections, implied } = merge.selections(layers.length);
  for (const path of implied) output.directory(path);
  layers.forEach((layer, index) => output.replay(index, layer, selections[index]!));
  return output.listing();
}

/** Collects emitted entries; hard links show the content that they share. */
class Output {
  readonly #entries = new Map<string, string>();

  emit(layer: number, entry: TarEntry, path: string, linkPath: string): void {
    assert.ok(!this.#entries.has(path), `${path} is emitted twice`);
    if (entry.type === "hardlink") {
      assert.ok(this.#entries.has(linkPath), `${path} is linked before ${linkPath}`);
      this.#entries.set(path, this.#entries.get(linkPath)!);
    } else if (entry.type === "directory") {
      this.#entries.set(path, `directory ${entry.mode.toString(8)}`);
    } else {
      this.#entries.set(path, `${entry.type} ${layer}:${entry.ordinal} ${linkPath}`.trimEnd());
    }
  }

  directory(path: string): void {
    assert.ok(!this.#entries.has(path), `${path} is emitted twice`);
    this.#entries.set(path, "directory implied");
  }

  replay(layer: number, drafts: readonly Draft[], selection: Selection): void {
    for (const entry of entriesOf(drafts)) {
      const [first, ...others] = selection.get(entry.ordinal) ?? [];
      if (first === undefined) continue;
      this.emit(layer, entry, first, entry.linkPath);
      for (const other of others) {
        this.emit(layer, { ...entry, type: "hardlink" }, other, first);
      }
    }
  }

  listing(): Listing {
    const paths = [...this.#entries.keys()].sort();
    for (const path of paths) {
      const slash = path.lastIndexOf("/");
      if (slash < 0) continue;
      const parent = this.#entries.get(path.slice(0, slash));
      assert.match(parent ?? "nothing", /^directory/, `${path} has no parent`);
    }
    return Object.fromEntries(paths.map((path) => [path, this.#entries.get(path)!]));
  }
}

function entriesOf(drafts: readonly Draft[]): TarEntry[] {
  return drafts.map((draft, ordinal) => ({
    ordinal,
    uid: 0,
    gid: 0,
    mtime: 0,
    size: 0,
    sparse: false,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    ...draft,
  }));
}

export function file(path: string): Draft {
  return { type: "file", path, linkPath: "", mode: 0o644 };
}

export function dir(path: string, mode = 0o755): Draft {
  return { type: "directory", path, linkPath: "", mode };
}

export function link(path: string, linkPath: string): Draft {
  return { type: "hardlink", path, linkPath, mode: 0o644 };
}

export function symlink(path: string, linkPath: string): Draft {
  return { type: "symlink", path, linkPath, mode: 0o777 };
}

export function whiteout(path: string): Draft {
  const slash = path.lastIndexOf("/") + 1;
  return file(`${path.slice(0, slash)}.wh.${path.slice(slash)}`);
}

export function opaque(path: string): Draft {
  return file(`${path}/.wh..wh..opq`);
}

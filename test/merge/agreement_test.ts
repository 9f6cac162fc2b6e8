/** Streaming, wherever it does not give up, must give what the plan gives. */

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { PathError } from "../../lib/merge/clean_path.ts";
import { PlanMerge } from "../../lib/merge/plan_merge.ts";
import { type Selection } from "../../lib/merge/layer_notes.ts";
import { NeedsPlan } from "../../lib/merge/needs_plan.ts";
import { StreamMerge } from "../../lib/merge/stream_merge.ts";
import type { EntryType, TarEntry } from "../../lib/tar/entry.ts";

type Draft = { type: EntryType; path: string; linkPath: string; mode: number };
type Stack = Draft[][];

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom(
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "hardlink",
    "fifo",
    "whiteout",
    "opaque",
  ),
  path,
  target: path,
  mode: fc.constantFrom(0o700, 0o755),
}).map(({ kind, path, target, mode }) => {
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, slash + 1);
  switch (kind) {
    case "whiteout":
      return { type: "file", path: `${directory}.wh.${path.slice(slash + 1)}`, linkPath: "", mode };
    case "opaque":
      return { type: "file", path: `${path}/.wh..wh..opq`, linkPath: "", mode };
    default:
      return {
        type: kind as EntryType,
        path,
        linkPath: kind === "symlink" || kind === "hardlink" ? target : "",
        mode,
      };
  }
});
const stack: fc.Arbitrary<Stack> = fc.array(fc.array(draft, { maxLength: 8 }), {
  minLength: 1,
  maxLength: 4,
});

test("streaming gives what the plan gives, or gives up", () => {
  let streamed = 0;
  fc.assert(
    fc.property(stack, (layers) => {
      const result = stream(layers);
      if (result === undefined) return;
      streamed++;
      assert.deepEqual(result, plan(layers));
    }),
    { numRuns: 20_000 },
  );
  assert.ok(streamed > 3000, `only ${streamed} stacks were streamed`);
});

test("ordinary layers are streamed: parents described, links within their layer", () => {
  const layers: Stack = [
    [dir("a"), file("a/x"), link("a/y", "a/x"), dir("b"), file("b/z")],
    [dir("a"), whiteout("a", "x"), dir("b"), file("b/z")],
  ];
  assert.deepEqual(stream(layers), plan(layers));
});

function stream(layers: Stack): Record<string, string> | undefined {
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

function plan(layers: Stack): Record<string, string> | string {
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

/** What the emitted entries would make, link groups told by their content. */
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
      this.#entries.set(path, `${entry.type} ${layer}:${entry.ordinal} ${linkPath}`);
    }
  }

  directory(path: string): void {
    assert.ok(!this.#entries.has(path), `${path} is emitted twice`);
    this.#entries.set(path, "directory implied");
  }

  replay(layer: number, drafts: Draft[], selection: Selection): void {
    for (const entry of entriesOf(drafts)) {
      const [first, ...others] = selection.get(entry.ordinal) ?? [];
      if (first === undefined) continue;
      this.emit(layer, entry, first, entry.linkPath);
      for (const other of others) {
        this.emit(layer, { ...entry, type: "hardlink" }, other, first);
      }
    }
  }

  listing(): Record<string, string> {
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

function entriesOf(drafts: Draft[]): TarEntry[] {
  return drafts.map((draft, ordinal) => ({
    ordinal,
    uid: 0,
    gid: 0,
    mtime: 0,
    size: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    ...draft,
  }));
}

function file(path: string): Draft {
  return { type: "file", path, linkPath: "", mode: 0o644 };
}
function dir(path: string): Draft {
  return { type: "directory", path, linkPath: "", mode: 0o755 };
}
function link(path: string, linkPath: string): Draft {
  return { type: "hardlink", path, linkPath, mode: 0o644 };
}
function whiteout(directory: string, name: string): Draft {
  return file(`${directory}/.wh.${name}`);
}

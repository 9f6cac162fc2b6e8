/** Random stacks of layers that mean the same to every engine, for properties against an oracle. */

import fc from "fast-check";
import { directory, file, link, opaque, symlink, type TarSpec, whiteout } from "./tar_fixture.ts";

/** One generated step; impossible steps are skipped. */
interface Step {
  readonly kind: "file" | "directory" | "symlink" | "link" | "whiteout" | "opaque";
  readonly path: string;
  readonly pick: number;
  readonly mode: number;
}

const names = ["a", "b", "c"];
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    "file",
    "file",
    "directory",
    "symlink",
    "link",
    "link",
    "whiteout",
    "opaque",
  ),
  path: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join("/")),
  pick: fc.nat(1000),
  mode: fc.constantFrom(0o644, 0o755, 0o600, 0o4711),
});

/** Layers, base first. */
export const randomStack: fc.Arbitrary<TarSpec[][]> = fc
  .array(fc.array(step, { maxLength: 10 }), { minLength: 1, maxLength: 5 })
  .map((layers) => new Model().layers(layers));

/** Many stacks side by side in one, each in a directory of its own. */
export function sideBySide(stacks: readonly (readonly TarSpec[])[][]): TarSpec[][] {
  const layers: TarSpec[][] = [];
  for (const [index, stack] of stacks.entries()) {
    for (const [at, layer] of stack.entries()) {
      layers[at] ??= [];
      layers[at].push(...layer.map((spec) => ({
        ...spec,
        path: `stack-${index}/${String(spec.path)}`,
        ...(spec.flag === "1" ? { linkPath: `stack-${index}/${String(spec.linkPath)}` } : {}),
      })));
    }
  }
  return layers;
}

type Node = { readonly type: "file" | "directory" | "symlink"; mode: number };

/** Keeps track of the tree while layers are made, so that no step is undefined. */
class Model {
  private readonly tree = new Map<string, Node>();
  private readonly out: TarSpec[][] = [];
  private count = 0;

  layers(layers: readonly (readonly Step[])[]): TarSpec[][] {
    for (const steps of layers) {
      const written = new Set<string>();
      const layer: TarSpec[] = [];
      this.out.push(layer);
      for (const one of steps) this.apply(one, layer, written);
    }
    return this.out;
  }

  private apply(one: Step, layer: TarSpec[], written: Set<string>): void {
    const { path } = one;
    if (one.kind === "whiteout" || one.kind === "opaque") {
      this.hide(one, layer, written);
      return;
    }
    if (one.kind === "link") {
      const targets = [...this.tree].filter(([name, node]) =>
        node.type === "file" && name !== path && !name.startsWith(`${path}/`) &&
        !path.startsWith(`${name}/`)
      );
      if (targets.length === 0 || this.tree.get(path)?.type === "directory") return;
      const [target, node] = targets[one.pick % targets.length]!;
      this.makeParents(path, layer, written);
      layer.push(link(path, target, { mode: node.mode }));
      this.put(path, { ...node }, written);
      return;
    }
    // Engines disagree about two entries of different types at one path of one layer.
    const before = this.tree.get(path);
    if (written.has(path) && before?.type !== one.kind) return;
    this.makeParents(path, layer, written);
    const mtime = 1_600_000_000 + ++this.count;
    if (one.kind === "file") {
      layer.push(file(path, `content ${this.count}`, { mode: one.mode, mtime }));
    } else if (one.kind === "directory") {
      layer.push(directory(path, { mode: one.mode | 0o700, mtime }));
    } else {
      layer.push(symlink(path, `${names[one.pick % names.length]}/elsewhere`, { mtime }));
    }
    this.put(path, { type: one.kind, mode: one.mode }, written);
  }

  /** Hides only paths that this layer has not written: engines disagree about the order otherwise. */
  private hide(one: Step, layer: TarSpec[], written: Set<string>): void {
    const { path } = one;
    const below = (name: string) => name.startsWith(`${path}/`);
    if ([...written].some((name) => name === path || below(name))) return;
    const node = this.tree.get(path);
    if (node === undefined || (one.kind === "opaque" && node.type !== "directory")) return;
    if (one.kind === "opaque") {
      layer.push(directory(path, { mode: 0o755 }), opaque(path));
      written.add(path);
    } else {
      layer.push(whiteout(path));
      this.tree.delete(path);
    }
    for (const name of [...this.tree.keys()].filter(below)) this.tree.delete(name);
  }

  private makeParents(path: string, layer: TarSpec[], written: Set<string>): void {
    const parts = path.split("/");
    for (let length = 1; length < parts.length; length++) {
      const parent = parts.slice(0, length).join("/");
      if (this.tree.get(parent)?.type === "directory") continue;
      layer.push(directory(parent));
      this.put(parent, { type: "directory", mode: 0o755 }, written);
    }
  }

  private put(path: string, node: Node, written: Set<string>): void {
    if (node.type !== "directory" || this.tree.get(path)?.type !== "directory") {
      for (const name of [...this.tree.keys()]) {
        if (name.startsWith(`${path}/`)) this.tree.delete(name);
      }
    }
    this.tree.set(path, node);
    written.add(path);
  }
}

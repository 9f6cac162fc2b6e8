/**
 * Merging with everything known: layers' headers are applied base first to a tree in memory, as an
 * engine applies them to a disk; then the tree says which entry of which layer is emitted under
 * which names. Exact in all cases; costs one more reading of all layers than streaming.
 */

import type { EntryType, TarEntry } from "../tar/entry.ts";
import { baseName, checkSymlink, cleanPath, join, parentOf, PathError } from "./clean_path.ts";
import { type Found, resolveInRoot } from "./resolve_in_root.ts";
import type { Selection } from "./layer_notes.ts";
import { parseWhiteout } from "./whiteout.ts";

/** `NONE` stands for a layer or an ordinal that there is not. */
const NONE = -1;

class PlanDirectory {
  readonly children = new Map<string, PlanNode>();
  /** The layer that last made, described or used it. */
  layer: number;
  /** Whose entry gave mode and time; `NONE` for a directory that only its children imply. */
  describedBy = NONE;
  ordinal = NONE;

  constructor(layer: number) {
    this.layer = layer;
  }
}

/** A name of something that is no directory. */
class PlanLeaf {
  /** The first name that the content had: hard links share it. */
  readonly first: PlanLeaf;

  constructor(
    /** The layer that made this name. */
    readonly layer: number,
    readonly ordinal: number,
    readonly type: EntryType,
    readonly target: string,
    first?: PlanLeaf,
  ) {
    this.first = first?.first ?? this;
  }
}

type PlanNode = PlanDirectory | PlanLeaf;

export class PlanMerge {
  /** Permission bits of the root, when a layer describes it. */
  rootMode: number | undefined;
  readonly #root = new PlanDirectory(NONE);
  #layer = NONE;

  /** Goes on to the next higher layer. */
  beginLayer(): void {
    this.#layer++;
  }

  /** Applies an entry. Throws PathError on what no engine could apply. */
  entry(entry: TarEntry): void {
    const path = cleanPath(entry.path);
    if (path === "") return this.#describe(this.#root, entry, path);
    const whiteout = parseWhiteout(path);
    if (whiteout === undefined) {
      if (entry.type === "symlink") checkSymlink(path, entry.linkPath);
      this.#put(entry, path, this.#makeDirectory(parentOf(path)));
    } else if (whiteout.kind === "path") this.#removeAt(whiteout.path);
    else if (whiteout.kind === "opaque") {
      const directory = this.#findThroughLinks(whiteout.path);
      if (directory instanceof PlanDirectory) this.#removeLowerChildren(directory);
    }
  }

  /** What the merged image has at a path, symlinks not followed. */
  lookup = (path: string): Found => {
    const node = this.#find(path);
    if (node === undefined) return { kind: "absent" };
    if (node instanceof PlanDirectory) return { kind: "directory" };
    return node.type === "symlink" ? { kind: "symlink", target: node.target } : { kind: "other" };
  };

  /** Where a path of the merged image leads. Throws PathError on a loop. */
  resolve(path: string): string {
    return resolveInRoot(this.lookup, path);
  }

  /** Takes a name out, to make room for one of denroot's own files. */
  remove(path: string): void {
    const parent = this.#find(parentOf(path));
    if (parent instanceof PlanDirectory) parent.children.delete(baseName(path));
  }

  /**
   * What to emit: for each layer, base first, which ordinals under which names; and the directories
   * that no layer describes. The root, where a layer describes it, has the empty name.
   */
  selections(layerCount: number): { layers: Selection[]; implied: string[] } {
    const layers: Selection[] = Array.from({ length: layerCount }, () => new Map());
    const implied: string[] = [];
    const visit = (directory: PlanDirectory, path: string): void => {
      if (directory.describedBy !== NONE) {
        layers[directory.describedBy]!.set(directory.ordinal, [path]);
      } else if (path !== "") {
        implied.push(path);
      }
      if (path === "dev") return;
      for (const [name, node] of directory.children) {
        const at = join(path, name);
        if (node instanceof PlanDirectory) visit(node, at);
        else select(layers[node.first.layer]!, node.first.ordinal, at);
      }
    };
    visit(this.#root, "");
    return { layers, implied };
  }

  #put(entry: TarEntry, path: string, parent: PlanDirectory): void {
    const name = baseName(path);
    if (entry.type === "directory") {
      const before = parent.children.get(name);
      const directory = before instanceof PlanDirectory ? before : new PlanDirectory(this.#layer);
      parent.children.set(name, directory);
      this.#describe(directory, entry, path);
    } else if (entry.type === "hardlink") {
      const first = this.#linkTarget(entry, path);
      parent.children.set(
        name,
        new PlanLeaf(this.#layer, first.ordinal, first.type, first.target, first),
      );
    } else {
      parent.children.set(
        name,
        new PlanLeaf(this.#layer, entry.ordinal, entry.type, entry.linkPath),
      );
    }
  }

  #describe(directory: PlanDirectory, entry: TarEntry, path: string): void {
    if (entry.type !== "directory") {
      throw new PathError(`The entry for '/${path}' is no directory`);
    }
    directory.layer = this.#layer;
    directory.describedBy = this.#layer;
    directory.ordinal = entry.ordinal;
    if (path === "") this.rootMode = entry.mode;
  }

  #linkTarget(entry: TarEntry, path: string): PlanLeaf {
    const target = cleanPath(entry.linkPath);
    const node = this.#findThroughLinks(target);
    if (node === undefined) {
      throw new PathError(`The hard link '${path}' leads to '${target}', which is not there`);
    }
    if (node instanceof PlanDirectory) {
      throw new PathError(`The hard link '${path}' leads to the directory '${target}'`);
    }
    return node;
  }

  /** The directory at `path`, symlinks followed, made where there is none. */
  #makeDirectory(path: string): PlanDirectory {
    let here = this.#root;
    here.layer = this.#layer;
    if (path === "") return here;
    for (const name of resolveInRoot(this.lookup, path).split("/")) {
      if (name === "") continue;
      let next = here.children.get(name);
      if (!(next instanceof PlanDirectory)) {
        if (next?.layer === this.#layer) {
          throw new PathError(`'${path}' has entries below it but is no directory`);
        }
        next = new PlanDirectory(this.#layer);
        here.children.set(name, next);
      }
      next.layer = this.#layer;
      here = next;
    }
    return here;
  }

  /** A whiteout's parent need not be there; the whiteout does not make it. */
  #removeAt(path: string): void {
    const parent = this.#find(resolveInRoot(this.lookup, parentOf(path)));
    if (parent instanceof PlanDirectory) this.#removeLower(parent, baseName(path));
  }

  /** Removes what lower layers have under a name; what this layer put there stays. */
  #removeLower(parent: PlanDirectory, name: string): void {
    const node = parent.children.get(name);
    if (node === undefined) return;
    if (node instanceof PlanDirectory) {
      this.#removeLowerChildren(node);
      if (node.layer === this.#layer) {
        if (node.describedBy < this.#layer) node.describedBy = NONE;
        return;
      }
    } else if (node.layer === this.#layer) {
      return;
    }
    parent.children.delete(name);
  }

  #removeLowerChildren(directory: PlanDirectory): void {
    for (const name of [...directory.children.keys()]) this.#removeLower(directory, name);
  }

  /** Follows symlinks on the way to `path`, but not `path` itself. */
  #findThroughLinks(path: string): PlanNode | undefined {
    if (path === "") return this.#root;
    return this.#find(join(resolveInRoot(this.lookup, parentOf(path)), baseName(path)));
  }

  #find(path: string): PlanNode | undefined {
    if (path === "") return this.#root;
    let node: PlanNode | undefined = this.#root;
    for (const name of path.split("/")) {
      if (!(node instanceof PlanDirectory)) return undefined;
      node = node.children.get(name);
    }
    return node;
  }
}

function select(layer: Selection, ordinal: number, path: string): void {
  const names = layer.get(ordinal);
  if (names === undefined) layer.set(ordinal, [path]);
  else names.push(path);
}

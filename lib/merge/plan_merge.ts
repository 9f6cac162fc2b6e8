/**
 * Merges layers with a plan. The headers of all layers are applied, base first, to a tree in
 * memory, as an engine applies them to a disk. Then the tree says which entry of which layer is
 * emitted under which names. This is exact in all cases, but all layers are read once more than by
 * streaming.
 */

import type { EntryType, TarEntry } from "../tar/entry.ts";
import { baseName, checkSymlink, cleanPath, join, parentOf, PathError } from "./clean_path.ts";
import { type Found, resolveInRoot } from "./resolve_in_root.ts";
import type { Selection } from "./layer_notes.ts";
import { parseWhiteout } from "./whiteout.ts";

/** Stands for no layer or no ordinal. */
const NONE = -1;

class PlanDirectory {
  readonly children = new Map<string, PlanNode>();
  /** The highest layer so far that made, described or used it. */
  layer: number;
  /** The layer whose entry gave mode and time; `NONE` when no layer has an entry for it. */
  describedBy = NONE;
  ordinal = NONE;

  constructor(layer: number) {
    this.layer = layer;
  }
}

/** A name of a file that is not a directory. */
class PlanLeaf {
  /** The first name of the content; all hard links to it have the same. */
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
  /** Permission bits of the root, if a layer describes it. */
  rootMode: number | undefined;
  readonly #root = new PlanDirectory(NONE);
  #layer = NONE;

  /** Goes on to the next higher layer. */
  beginLayer(): void {
    this.#layer++;
  }

  /** Applies an entry. Throws PathError on an entry that no engine can apply. */
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

  /** Tells what the merged image has at a path, without following symlinks. */
  lookup = (path: string): Found => {
    const node = this.#find(path);
    if (node === undefined) return { kind: "absent" };
    if (node instanceof PlanDirectory) return { kind: "directory" };
    return node.type === "symlink" ? { kind: "symlink", target: node.target } : { kind: "other" };
  };

  /** Gives the path to which a path of the merged image leads. Throws PathError on a loop. */
  resolve(path: string): string {
    return resolveInRoot(this.lookup, path);
  }

  /** Removes a name, to make room for one of denroot's own files. */
  remove(path: string): void {
    const parent = this.#find(parentOf(path));
    if (parent instanceof PlanDirectory) parent.children.delete(baseName(path));
  }

  /**
   * Gives what to emit: for each layer, base first, the ordinals and their names; and the
   * directories that no layer describes. The name of the root, if a layer describes it, is empty.
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
      throw new PathError(`The entry for '/${path}' is not a directory`);
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
      throw new PathError(`The hard link '${path}' leads to '${target}', which does not exist`);
    }
    if (node instanceof PlanDirectory) {
      throw new PathError(`The hard link '${path}' leads to the directory '${target}'`);
    }
    return node;
  }

  /** Gives the directory at `path`, and makes what is missing. Follows symlinks. */
  #makeDirectory(path: string): PlanDirectory {
    let here = this.#root;
    here.layer = this.#layer;
    if (path === "") return here;
    for (const name of resolveInRoot(this.lookup, path).split("/")) {
      if (name === "") continue;
      let next = here.children.get(name);
      if (!(next instanceof PlanDirectory)) {
        if (next?.layer === this.#layer) {
          throw new PathError(`'${path}' has entries below it but is not a directory`);
        }
        next = new PlanDirectory(this.#layer);
        here.children.set(name, next);
      }
      next.layer = this.#layer;
      here = next;
    }
    return here;
  }

  /** A whiteout does not make its parent directories. */
  #removeAt(path: string): void {
    const parent = this.#find(resolveInRoot(this.lookup, parentOf(path)));
    if (parent instanceof PlanDirectory) this.#removeLower(parent, baseName(path));
  }

  /** Removes what lower layers have under a name and keeps what this layer has. */
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

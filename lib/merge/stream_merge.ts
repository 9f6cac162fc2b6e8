/**
 * Merges layers while they stream by, the top layer first. An entry is kept when no higher layer
 * wrote or removed its path. When that cannot give the exact result, {@link NeedsPlan} is thrown.
 */

import type { TarEntry } from "../tar/entry.ts";
import { baseName, checkSymlink, cleanPath, join, parentOf } from "./clean_path.ts";
import { LayerNotes, type Selection } from "./layer_notes.ts";
import { comesTwice, NeedsPlan, twoThings } from "./needs_plan.ts";
import { type Found, resolveInRoot } from "./resolve_in_root.ts";
import {
  isRemoved,
  layerOf,
  NONE,
  StreamDirectory,
  type StreamLeaf,
  type StreamNode,
} from "./stream_tree.ts";
import { parseWhiteout } from "./whiteout.ts";

/** What to do with an entry. */
export type Decision =
  | { readonly action: "drop" }
  /** Emit it as `path`. */
  | { readonly action: "emit"; readonly path: string; readonly linkPath: string };

const DROP: Decision = { action: "drop" };

export class StreamMerge {
  readonly #root = new StreamDirectory("");
  readonly #implied = new Set<StreamDirectory>();
  #layer: number;

  /** Directories that a layer used without an entry for them, with the lowest such layer. */
  readonly #unsure = new Map<string, number>();

  // These belong to the current layer only.
  #notes = new LayerNotes();
  #lastParent: string | undefined;
  #lastExists = false;
  #lastDirectory: StreamDirectory | undefined;

  /** `layerCount` layers will come, the topmost first. */
  constructor(layerCount: number) {
    this.#layer = layerCount;
  }

  /** Goes on to the next lower layer. */
  beginLayer(): void {
    this.#layer--;
    this.#notes = new LayerNotes();
    this.#lastParent = undefined;
  }

  /**
   * Gives the files of this layer whose own name is hidden, while links to them are not. The layer
   * has to be read again to emit them under the names of these links.
   */
  endLayer(): Selection {
    return this.#notes.promotions;
  }

  /**
   * Takes an entry. Throws {@link NeedsPlan}, and PathError on a path that leads out of the root.
   */
  entry(entry: TarEntry): Decision {
    const path = cleanPath(entry.path);
    if (path === "") return this.#rootEntry(entry);
    this.#noteParents(parentOf(path));
    const whiteout = parseWhiteout(path);
    if (whiteout === undefined) {
      if (entry.type === "symlink") checkSymlink(path, entry.linkPath);
      return this.#ordinary(entry, path);
    }
    if (whiteout.kind === "aufs") this.#hide(entry, path);
    else if (whiteout.kind === "path") this.#remove(whiteout.path);
    else this.#makeOpaque(whiteout.path);
    return DROP;
  }

  /** Tells what the merged image has at a path, without following symlinks. */
  lookup = (path: string): Found => {
    const node = path === "" ? this.#root : this.#find(path);
    if (node === undefined || typeof node === "number") {
      return { kind: node === undefined ? "absent" : "other" };
    }
    if (node instanceof StreamDirectory) return { kind: node.exists ? "directory" : "absent" };
    if ("removedBy" in node) return { kind: "absent" };
    return { kind: "symlink", target: node.target };
  };

  /** Gives the path to which a path of the merged image leads. Throws PathError on a loop. */
  resolve(path: string): string {
    return resolveInRoot(this.lookup, path);
  }

  /** Gives the directories that entries need but no layer describes. */
  impliedDirectories(): string[] {
    return [...this.#implied].filter((directory) => directory.exists).map(({ path }) => path);
  }

  #rootEntry(entry: TarEntry): Decision {
    if (entry.type !== "directory") {
      throw new NeedsPlan("The entry for the root is not a directory");
    }
    if (this.#root.explicit !== NONE) return this.#describedAbove(this.#root, entry);
    return this.#describe(this.#root, entry);
  }

  #ordinary(entry: TarEntry, path: string): Decision {
    if (path.startsWith("dev/")) return this.#hide(entry, path);
    const parent = this.#directory(parentOf(path), true);
    if (parent === undefined) return this.#hide(entry, path);
    const name = baseName(path);
    const node = parent.children.get(name);
    if (entry.type === "directory") return this.#directoryEntry(entry, path, parent, name, node);
    this.#checkNotADirectory(path);
    if (node instanceof StreamDirectory) {
      if (!node.exists) {
        throw new NeedsPlan(`'${path}' has whiteouts below it, but is not a directory`);
      }
      if (node.explicit === this.#layer) {
        throw twoThings(path);
      }
      // A higher layer made a directory of it, so nothing of the lower layers remains below this
      // path.
      node.hideBelow(this.#layer);
      return this.#hide(entry, path);
    }
    const by = node === undefined ? NONE : layerOf(node);
    if (by === this.#layer && !isRemoved(node)) throw comesTwice(path);
    if (by > this.#layer) return this.#hide(entry, path);
    return this.#claim(entry, path, parent, name);
  }

  #claim(entry: TarEntry, path: string, parent: StreamDirectory, name: string): Decision {
    if (entry.type === "hardlink") return this.#claimLink(entry, path, parent, name);
    parent.children.set(
      name,
      entry.type === "symlink" ? { layer: this.#layer, target: entry.linkPath } : this.#layer,
    );
    return { action: "emit", path, linkPath: entry.linkPath };
  }

  #claimLink(entry: TarEntry, path: string, parent: StreamDirectory, name: string): Decision {
    const target = cleanPath(entry.linkPath);
    const ordinal = this.#notes.hiddenFile(target);
    if (ordinal !== undefined) {
      this.#notes.promote(ordinal, path);
      parent.children.set(name, this.#layer);
      return DROP;
    }
    const linkPath = this.#emittedName(path, target);
    this.#notes.addLink(path, linkPath);
    parent.children.set(name, this.#find(target)!);
    return { action: "emit", path, linkPath };
  }

  #directoryEntry(
    entry: TarEntry,
    path: string,
    parent: StreamDirectory,
    name: string,
    node: StreamNode | undefined,
  ): Decision {
    this.#noteDirectory(path);
    if (node instanceof StreamDirectory) {
      if (node.explicit !== NONE) return this.#describedAbove(node, entry);
      return node.selfHidden > this.#layer ? DROP : this.#describe(node, entry);
    }
    if (node !== undefined) {
      const by = layerOf(node);
      if (by === this.#layer && !isRemoved(node)) throw twoThings(path);
      if (by > this.#layer) return DROP;
    }
    return this.#describe(this.#makeDirectory(parent, name, node), entry);
  }

  #describe(directory: StreamDirectory, entry: TarEntry): Decision {
    directory.explicit = this.#layer;
    directory.exists = true;
    directory.mode = entry.mode;
    directory.mtime = entry.mtime;
    this.#implied.delete(directory);
    return { action: "emit", path: directory.path, linkPath: "" };
  }

  /**
   * Some builders describe a directory several times in a layer, which does no harm if all agree.
   */
  #describedAbove(directory: StreamDirectory, entry: TarEntry): Decision {
    const same = directory.mode === entry.mode && directory.mtime === entry.mtime &&
      entry.xattrs === undefined;
    if (directory.explicit === this.#layer && !same) {
      throw new NeedsPlan(`The directory '${directory.path}' comes twice in one layer`);
    }
    return DROP;
  }

  #hide(entry: TarEntry, path: string): Decision {
    if (entry.type === "directory") {
      this.#noteDirectory(path);
      return DROP;
    }
    this.#notes.checkNotHidden(path);
    this.#checkNotADirectory(path);
    if (entry.type === "hardlink") this.#hideLink(path, cleanPath(entry.linkPath));
    else if (entry.type === "symlink") this.#notes.hideSymlink(path);
    else this.#notes.hideFile(path, entry.ordinal);
    return DROP;
  }

  /** A link that is hidden itself may be the target of another. */
  #hideLink(path: string, target: string): void {
    const ordinal = this.#notes.hiddenFile(target);
    if (ordinal !== undefined) this.#notes.hideFile(path, ordinal);
    else this.#notes.addLink(path, this.#emittedName(path, target));
  }

  /** Gives the name under which this layer's `target` was emitted. */
  #emittedName(path: string, target: string): string {
    const first = this.#notes.firstName(target);
    if (first !== undefined) return first;
    const node = this.#find(target);
    const here = node !== undefined && !(node instanceof StreamDirectory) && !isRemoved(node) &&
      layerOf(node) === this.#layer;
    if (!here) throw new NeedsPlan(`The hard link '${path}' leads to '${target}' of another layer`);
    return target;
  }

  /**
   * A higher layer may have used this path as a directory without an entry, so it may be a symlink.
   */
  #checkNotADirectory(path: string): void {
    if (this.#unsure.has(path)) {
      throw new NeedsPlan(`'${path}' is used as a directory by a higher layer`);
    }
    this.#notes.checkNotADirectory(path);
  }

  /** This layer says that it is a directory, so the higher layers that used it are right. */
  #noteDirectory(path: string): void {
    this.#notes.checkNotHidden(path);
    this.#notes.directories.add(path);
    const unsure = this.#unsure.get(path);
    if (unsure !== undefined && unsure > this.#layer) this.#unsure.delete(path);
  }

  #remove(path: string): void {
    const parent = this.#directory(parentOf(path), false);
    if (parent === undefined) return;
    const name = baseName(path);
    const node = parent.children.get(name);
    if (node === undefined) {
      parent.children.set(name, { removedBy: this.#layer });
    } else if (node instanceof StreamDirectory) {
      node.hideBelow(this.#layer);
    }
  }

  #makeOpaque(path: string): void {
    const directory = this.#directory(path, false);
    if (directory === undefined) return;
    directory.childrenHidden = this.#layer;
  }

  /** Remembers the directories that this layer uses and has not described. */
  #noteParents(path: string): void {
    if (path === this.#lastParent) return;
    const { directories } = this.#notes;
    for (let at = path; at !== "" && !directories.has(at); at = parentOf(at)) {
      this.#notes.checkNotHidden(at);
      directories.add(at);
      this.#unsure.set(at, this.#layer);
    }
  }

  /**
   * Gives the directory at `path` for an entry of this layer, and makes it if it is missing. Gives
   * undefined when a higher layer hides what this layer has there. With `exists`, the directory and
   * its parents become part of the image unless they are hidden; a whiteout does not need that.
   */
  #directory(path: string, exists: boolean): StreamDirectory | undefined {
    if (path === this.#lastParent && (this.#lastExists || !exists)) return this.#lastDirectory;
    this.#lastParent = path;
    this.#lastExists = exists;
    this.#lastDirectory = this.#walk(path, exists);
    return this.#lastDirectory;
  }

  #walk(path: string, exists: boolean): StreamDirectory | undefined {
    let here = this.#root;
    if (path !== "") {
      for (const name of path.split("/")) {
        if (here.childrenHidden > this.#layer) return undefined;
        const node = here.children.get(name);
        if (node instanceof StreamDirectory) {
          here = node;
        } else {
          if (node !== undefined) this.#checkPassable(node, here, name);
          if (node !== undefined && layerOf(node) > this.#layer) return undefined;
          here = this.#makeDirectory(here, name, node);
        }
        if (exists && here.selfHidden <= this.#layer) here.exists = true;
      }
    }
    return here.childrenHidden > this.#layer ? undefined : here;
  }

  #checkPassable(node: StreamLeaf, parent: StreamDirectory, name: string): void {
    if (layerOf(node) === this.#layer && !isRemoved(node)) {
      throw new NeedsPlan(
        `'${join(parent.path, name)}' has entries below it, but is not a directory`,
      );
    }
  }

  #makeDirectory(
    parent: StreamDirectory,
    name: string,
    before: StreamLeaf | undefined,
  ): StreamDirectory {
    const directory = new StreamDirectory(join(parent.path, name));
    if (before !== undefined) {
      directory.selfHidden = layerOf(before);
      directory.childrenHidden = directory.selfHidden;
    }
    parent.children.set(name, directory);
    this.#implied.add(directory);
    return directory;
  }

  #find(path: string): StreamNode | undefined {
    let node: StreamNode | undefined = this.#root;
    for (const name of path.split("/")) {
      if (!(node instanceof StreamDirectory)) return undefined;
      node = node.children.get(name);
    }
    return node;
  }
}

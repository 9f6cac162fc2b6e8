/** What a streaming merge remembers about a layer while it reads that layer. */

import { comesTwice, twoThings } from "./needs_plan.ts";

/** By an entry's ordinal: the names under which its content is to be emitted. */
export type Selection = Map<number, string[]>;

export class LayerNotes {
  /** Directories that have an entry or children in this layer. */
  readonly directories = new Set<string>();
  /** Files whose own name is hidden, while links to them are not. */
  readonly promotions: Selection = new Map();
  readonly #hiddenSymlinks = new Set<string>();
  /** The ordinals of hidden files, by path. */
  readonly #hiddenFiles = new Map<string, number>();
  /** The first names of emitted files, by the names of their links. */
  readonly #linkNames = new Map<string, string>();

  hideSymlink(path: string): void {
    this.#hiddenSymlinks.add(path);
  }

  hideFile(path: string, ordinal: number): void {
    this.#hiddenFiles.set(path, ordinal);
  }

  /** Gives the ordinal of a hidden file. */
  hiddenFile(path: string): number | undefined {
    return this.#hiddenFiles.get(path);
  }

  /** Notes that a hidden file has to be emitted later, under the name of a link to it. */
  promote(ordinal: number, path: string): void {
    const names = this.promotions.get(ordinal);
    if (names === undefined) this.promotions.set(ordinal, [path]);
    else names.push(path);
    this.#hiddenFiles.set(path, ordinal);
  }

  /** Notes that `path` is a link to the file that was emitted as `firstName`. */
  addLink(path: string, firstName: string): void {
    this.#linkNames.set(path, firstName);
  }

  firstName(link: string): string | undefined {
    return this.#linkNames.get(link);
  }

  /** Throws NeedsPlan when the layer had this path before and it was hidden. */
  checkNotHidden(path: string): void {
    if (
      this.#hiddenSymlinks.has(path) || this.#hiddenFiles.has(path) || this.#linkNames.has(path)
    ) {
      throw comesTwice(path);
    }
  }

  /** Throws NeedsPlan when the path is a directory in this layer. */
  checkNotADirectory(path: string): void {
    if (this.directories.has(path)) throw twoThings(path);
  }
}

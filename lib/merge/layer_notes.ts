/** What a streaming merge has to remember of one layer while that layer passes. */

import { comesTwice, twoThings } from "./needs_plan.ts";

/** The content at an entry's ordinal, and the names under which it is still to be emitted. */
export type Selection = Map<number, string[]>;

export class LayerNotes {
  /** Directories that have an entry, or children, in this layer. */
  readonly directories = new Set<string>();
  /** Contents whose own name is hidden, while links to them are not. */
  readonly promotions: Selection = new Map();
  readonly #hiddenSymlinks = new Set<string>();
  /** Where a hidden file's content is, by path. */
  readonly #hiddenFiles = new Map<string, number>();
  /** The first name of an emitted file, by the names of its links. */
  readonly #linkNames = new Map<string, string>();

  hideSymlink(path: string): void {
    this.#hiddenSymlinks.add(path);
  }

  hideFile(path: string, ordinal: number): void {
    this.#hiddenFiles.set(path, ordinal);
  }

  /** The ordinal of a hidden file's content. */
  hiddenFile(path: string): number | undefined {
    return this.#hiddenFiles.get(path);
  }

  /** Has a hidden file's content emitted, later, under the name of a link to it. */
  promote(ordinal: number, path: string): void {
    const names = this.promotions.get(ordinal);
    if (names === undefined) this.promotions.set(ordinal, [path]);
    else names.push(path);
    this.#hiddenFiles.set(path, ordinal);
  }

  /** `path` is a link to the file that was emitted as `firstName`. */
  addLink(path: string, firstName: string): void {
    this.#linkNames.set(path, firstName);
  }

  firstName(link: string): string | undefined {
    return this.#linkNames.get(link);
  }

  /** Throws NeedsPlan when the path was hidden before: the layer writes it again. */
  checkNotHidden(path: string): void {
    if (
      this.#hiddenSymlinks.has(path) || this.#hiddenFiles.has(path) || this.#linkNames.has(path)
    ) {
      throw comesTwice(path);
    }
  }

  /** Throws NeedsPlan when the layer has the path as a directory. */
  checkNotADirectory(path: string): void {
    if (this.directories.has(path)) throw twoThings(path);
  }
}

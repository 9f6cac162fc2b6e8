/** Makes the content of a sparse file from its stored data: holes become zeros. */

import { ZEROS } from "./entry.ts";
import type { SparseFile } from "./sparse.ts";

export class SparseContent {
  readonly #file: SparseFile;
  readonly #emit: (bytes: Uint8Array) => void;
  #segment = 0;
  /** How many bytes of the current segment are done. */
  #segmentDone = 0;
  /** How many bytes of content were emitted so far. */
  #expanded = 0;

  constructor(file: SparseFile, emit: (bytes: Uint8Array) => void) {
    this.#file = file;
    this.#emit = emit;
  }

  /** Takes the next piece of the stored data. */
  push(piece: Uint8Array): void {
    const { segments } = this.#file;
    let at = 0;
    while (at < piece.length && this.#segment < segments.length) {
      const segment = segments[this.#segment]!;
      this.#fill(segment.offset);
      const count = Math.min(segment.length - this.#segmentDone, piece.length - at);
      if (count > 0) this.#emit(piece.subarray(at, at + count));
      at += count;
      this.#expanded += count;
      this.#segmentDone += count;
      if (this.#segmentDone === segment.length) {
        this.#segment++;
        this.#segmentDone = 0;
      }
    }
  }

  /** Emits the hole at the end. */
  end(): void {
    this.#fill(this.#file.size);
  }

  #fill(end: number): void {
    while (this.#expanded < end) {
      const count = Math.min(ZEROS.length, end - this.#expanded);
      this.#emit(ZEROS.subarray(0, count));
      this.#expanded += count;
    }
  }
}

/** A sparse file's stored data made into its content: the holes come out as zeros. */

import { ZEROS } from "./entry.ts";
import type { SparseFile } from "./sparse.ts";

export class SparseContent {
  readonly #file: SparseFile;
  readonly #emit: (bytes: Uint8Array) => void;
  #segment = 0;
  /** Bytes of the current segment that came already. */
  #segmentDone = 0;
  /** Bytes given out so far. */
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

  /** Gives out the hole at the end. */
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

/** The bytes of an archive, which may be one file or several parts. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { throwIfAborted } from "../../errors.ts";
import type { FilePosition } from "./archive_contents.ts";

const READ_SIZE = 1024 * 1024;

interface Part {
  readonly path: string;
  /** Where its bytes are in the archive. */
  readonly start: number;
  readonly end: number;
}

export class ArchiveParts {
  /** In bytes, of all parts together. */
  readonly size: number;
  readonly #parts: readonly Part[];

  /** The files exist. Throws the system's errors. */
  constructor(paths: readonly string[]) {
    let end = 0;
    this.#parts = paths.map((path) => {
      const start = end;
      end += fs.statSync(path).size;
      return { path, start, end };
    });
    this.size = end;
  }

  /** Where a stretch of the archive is; undefined when it is in several parts. */
  locate(offset: number, size: number): FilePosition | undefined {
    const part = this.#parts.find(({ end }) => offset < end) ?? this.#parts.at(-1)!;
    if (offset + size > part.end) return undefined;
    return { path: part.path, offset: offset - part.start };
  }

  /** Opens a reader of small pieces. It returns the count of bytes; 0 at the end. */
  open(): { read(buffer: Uint8Array, at: number): number } & Disposable {
    const descriptors = this.#parts.map(({ path }) => fs.openSync(path, "r"));
    return {
      read: (buffer, at) => {
        let count = 0;
        for (const [index, { start, end }] of this.#parts.entries()) {
          if (at + count >= end || at + count < start) continue;
          const length = Math.min(buffer.length - count, end - at - count);
          count += fs.readSync(descriptors[index]!, buffer, count, length, at + count - start);
        }
        return count;
      },
      [Symbol.dispose]: () => descriptors.forEach((descriptor) => fs.closeSync(descriptor)),
    };
  }

  /** The bytes from `start` to `end`, in pieces with memory of their own. */
  async *stream(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    using file = this.open();
    for (let at = start; at < end;) {
      throwIfAborted(signal);
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, end - at));
      const count = file.read(buffer, at);
      if (count === 0) return;
      yield await Promise.resolve(buffer.subarray(0, count));
      at += count;
    }
  }
}

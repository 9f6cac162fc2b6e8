/**
 * Puts a layer that containers-storage has unpacked together again. The recipe has the headers and
 * the padding of the tar stream, and says which file's content follows where.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { decompress } from "../../compress/decompress.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { type NativeFiles, nativeFiles } from "../../system/files/native_files.ts";
import { readRecipe } from "../../tar/split_recipe.ts";
import type { SplitLayer } from "../../types/source.ts";
import { LayerDirectory, unreadable } from "./layer_directory.ts";

/** Small files are gathered into pieces of this size. */
const PIECE_SIZE = 512 * 1024;

/**
 * Yields the exact tar stream that was unpacked, if nobody changed the files since. Each piece may
 * be overwritten once the next is asked for. Throws code `layer` when the recipe is damaged or does
 * not fit the files, `not_found` or `file` when a file cannot be read.
 */
export async function* readSplitLayer({ recipe, root }: SplitLayer): AsyncIterable<Uint8Array> {
  const native = await nativeFiles();
  const files = new LayerDirectory(native, root);
  const assembly = new Assembly(native, files);
  try {
    for await (const step of readRecipe(decompress(readStored(recipe)))) {
      if (step.type === "segment") yield* assembly.segment(step.bytes);
      else yield* assembly.file(step.name, step.size);
    }
    yield* assembly.rest();
  } finally {
    files.close();
  }
}

/** Fills a buffer with the stream and yields it whenever it is full. */
class Assembly {
  readonly #native: NativeFiles;
  readonly #files: LayerDirectory;
  readonly #piece = Buffer.alloc(PIECE_SIZE);
  #used = 0;

  constructor(native: NativeFiles, files: LayerDirectory) {
    this.#native = native;
    this.#files = files;
  }

  *segment(bytes: Uint8Array): Iterable<Uint8Array> {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + PIECE_SIZE - this.#used);
      this.#piece.set(part, this.#used);
      at += part.length;
      yield* this.#advance(part.length);
    }
  }

  *file(name: string, size: number): Iterable<Uint8Array> {
    const descriptor = this.#files.open(name, size);
    try {
      for (let left = size; left > 0;) {
        const end = Math.min(PIECE_SIZE, this.#used + left);
        const count = this.#native.read(descriptor, this.#piece.subarray(this.#used, end));
        if (count < 0) throw unreadable(name, count);
        if (count === 0) throw new DenrootError("file", "A file became shorter while it was read");
        left -= count;
        yield* this.#advance(count);
      }
    } finally {
      this.#native.close(descriptor);
    }
  }

  *rest(): Iterable<Uint8Array> {
    if (this.#used > 0) yield this.#piece.subarray(0, this.#used);
  }

  *#advance(count: number): Iterable<Uint8Array> {
    this.#used += count;
    if (this.#used < PIECE_SIZE) return;
    yield this.#piece;
    this.#used = 0;
  }
}

async function* readStored(recipe: string): AsyncIterable<Uint8Array> {
  try {
    if (!fs.statSync(recipe).isFile()) throw new Error("it is not a regular file");
    yield* fs.createReadStream(recipe);
  } catch (cause) {
    const message = `The layer's recipe cannot be read: ${messageOf(cause)}`;
    throw new DenrootError("file", message, { cause });
  }
}

/** A layer's tar stream, put together of its recipe and of the files that ostree keeps. */

import { Buffer } from "node:buffer";
import { decompress } from "../../compress/decompress.ts";
import { DenrootError } from "../../errors.ts";
import { readRecipe, type RecipeStep } from "../../tar/split_recipe.ts";
import type { OstreeRepository } from "./repository.ts";

/** What one run of ostree is asked for: far below what the kernel lets arguments have. */
const BATCH_STEPS = 1000;
const BATCH_NAMES = 64 * 1024;
/** Of the stream's own bytes, which wait in memory: headers are short. */
const BATCH_BYTES = 1024 * 1024;

/** Yields the stream of the layer in the commit `ref`; `recipe` is gzip. */
export async function* assembleLayer(
  repository: Pick<OstreeRepository, "cat">,
  ref: string,
  recipe: Uint8Array,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for await (const batch of batches(readRecipe(decompress(once(recipe))))) {
    const paths = batch.flatMap((step) => step.type === "file" ? [pathOf(step.name)] : []);
    const contents = new Contents(paths.length === 0 ? [] : repository.cat(ref, paths, signal));
    try {
      for (const step of batch) {
        if (step.type === "segment") yield step.bytes;
        else yield* contents.take(step.size);
      }
      await contents.end();
    } finally {
      await contents.close();
    }
  }
}

async function* batches(
  steps: AsyncIterable<RecipeStep>,
): AsyncIterable<readonly RecipeStep[]> {
  let batch: RecipeStep[] = [];
  let names = 0;
  let bytes = 0;
  for await (const step of steps) {
    batch.push(step);
    if (step.type === "file") names += step.name.length;
    else bytes += step.bytes.length;
    if (batch.length < BATCH_STEPS && names < BATCH_NAMES && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    names = 0;
    bytes = 0;
  }
  yield batch;
}

/** ostree takes no names but UTF-8. */
function pathOf(name: string): string {
  const path = Buffer.from(name, "latin1").toString();
  return `/${path.split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** Files that come one behind the other. */
class Contents {
  readonly #input: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#input = Symbol.asyncIterator in input
      ? input[Symbol.asyncIterator]()
      : input[Symbol.iterator]();
  }

  async *take(size: number): AsyncIterable<Uint8Array> {
    for (let left = size; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#input.next();
        if (next.done) throw new DenrootError("layer", "The layer's files in ostree are too short");
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async end(): Promise<void> {
    const isMore = this.#rest.length > 0 || !(await this.#input.next()).done;
    if (isMore) throw new DenrootError("layer", "The layer's files in ostree are too long");
  }

  async close(): Promise<void> {
    await this.#input.return?.();
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Puts a layer's tar stream together from its recipe and the files in an ostree repository. */

import { Buffer } from "node:buffer";
import { decompress } from "../../compress/decompress.ts";
import { DenrootError } from "../../errors.ts";
import { readRecipe, type RecipeStep } from "../../tar/split_recipe.ts";
import type { OstreeRepository } from "./repository.ts";

/** The limits of one call of ostree: far below the kernel's own limit for arguments. */
const BATCH_STEPS = 1000;
/** The length of all file names together. */
const BATCH_NAMES = 64 * 1024;
/** The number of the recipe's own bytes, which are in memory meanwhile. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Yields the tar stream of the layer in the commit `ref`; `recipe` is a tar-split recipe, compressed
 * with gzip. Throws code `layer` when the files are not as long as the recipe says, and what
 * `repository` throws.
 */
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

/** The recipe has bytes as Latin-1; ostree takes names in UTF-8 only. */
function pathOf(name: string): string {
  const path = Buffer.from(name, "latin1").toString();
  return `/${path.split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** The contents of several files, which arrive one after the other without marks between them. */
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
        if (next.done) throw wrongLength("shorter");
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
    if (isMore) throw wrongLength("longer");
  }

  async close(): Promise<void> {
    await this.#input.return?.();
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(bytes);
}

function wrongLength(how: "shorter" | "longer"): DenrootError {
  return new DenrootError("layer", `The layer's files in ostree are ${how} than its recipe says`);
}

/** What the tests of fetching share: caches, and fetchers that fill them. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { blobPath } from "../../lib/oci/digest.ts";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { BlobFetcher, type FetchOptions } from "../../lib/store/blob_fetcher.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import type { MemorySource } from "./memory_source.ts";

const scratch = scratchDirectory("fetcher");
let caches = 0;

export function start(
  source: MemorySource,
  descriptors: readonly Descriptor[],
  options: Partial<FetchOptions> = {},
): { cache: BlobCache; fetcher: BlobFetcher } {
  const cache = options.cache ?? newCache();
  const signal = new AbortController().signal;
  const fetcher = new BlobFetcher(descriptors, {
    source,
    cache,
    connections: 4,
    signal,
    nameOf: () => "Layer 1/1",
    ...options,
  });
  return { cache, fetcher };
}

export function newCache(): BlobCache {
  const cache = new BlobCache(join(scratch, `cache-${caches++}`));
  cache.open();
  return cache;
}

/** Another process puts the blob into the cache. */
export function bring(cache: BlobCache, source: MemorySource, descriptor: Descriptor): void {
  const path = join(cache.root, blobPath(descriptor.digest));
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, source.bytesOf(descriptor));
}

export function assertNothingLeft(cache: BlobCache): void {
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
}

/** What a later run can go on with. */
export function assertOnlyPartialsLeft(cache: BlobCache): void {
  const left = fs.readdirSync(join(cache.root, "ingest"));
  assert.deepEqual(left.filter((name) => !/^[0-9a-f]{64}\.partial$/.test(name)), []);
}

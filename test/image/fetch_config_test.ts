/** The configuration of an image, read from the cache beside processes that remove it. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { fetchConfig } from "../../lib/image/fetch_config.ts";
import type { BlobCache } from "../../lib/store/blob_cache.ts";
import type { BlobFetcher } from "../../lib/store/blob_fetcher.ts";
import { UnusableBlob } from "../../lib/store/unusable_blob.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { bring, newCache, start } from "../store/fetcher_fixture.ts";
import { MemorySource } from "../store/memory_source.ts";

for (const origin of ["cache", "download"] as const) {
  test(`a configuration that is removed after it was found (${origin}) can be fetched again`, async () => {
    const { cache, descriptor, fetcher } = begin(origin);
    const readable = await fetcher.readable(descriptor);
    assert.equal(readable.origin, origin);
    await fetcher.finished();
    rmSync(cache.find(descriptor)!);
    await assert.rejects(
      fetchConfig(descriptor, fetcher),
      (error) => error instanceof UnusableBlob && error.readable.origin === origin,
    );
    await fetcher.close();
  });
}

function begin(
  origin: "cache" | "download",
): { cache: BlobCache; descriptor: Descriptor; fetcher: BlobFetcher } {
  const source = new MemorySource();
  const descriptor = source.add("{}");
  const cache = newCache();
  if (origin === "cache") bring(cache, source, descriptor);
  return { descriptor, ...start(source, [descriptor], { cache }) };
}

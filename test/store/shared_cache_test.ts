/** Several fetchers that share a cache: each blob is fetched once, and no work is lost. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { assertNothingLeft, bring, newCache, start } from "./fetcher_fixture.ts";
import { MemorySource } from "./memory_source.ts";

const large = randomBytes(13 * 1024 * 1024 + 77);

test("two fetchers that share a cache download a blob once", async () => {
  const source = new MemorySource({ pace: () => sleep(3) });
  const descriptors = [source.add(large), source.add("small")];
  const cache = newCache();
  const one = start(source, descriptors, { cache }).fetcher;
  const other = start(source, descriptors, { cache }).fetcher;
  await Promise.all([one.finished(), other.finished()]);
  const origins = await Promise.all(
    [one, other].map(async (fetcher) => (await fetcher.readable(descriptors[0]!)).origin),
  );
  assert.deepEqual(origins, ["download", "cache"]);
  await Promise.all([one.close(), other.close()]);
  assert.equal(source.requests.length, 5);
  assertNothingLeft(cache);
});

test("when one fetcher gives up, the other takes over", async () => {
  const slow = new MemorySource({ pace: () => sleep(50) });
  const source = new MemorySource();
  const descriptor = slow.add(large);
  source.add(large);
  const cache = newCache();
  const one = start(slow, [descriptor], { cache }).fetcher;
  const other = start(source, [descriptor], { cache }).fetcher;
  await one.close();
  await other.finished();
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
  await other.close();
});

test("a blob that another process finishes just before its lease is not fetched", async () => {
  const source = new MemorySource();
  const descriptor = source.add("brought");
  const cache = new (class extends BlobCache {
    override lease(digest: string) {
      bring(this, source, descriptor);
      return super.lease(digest);
    }
  })(newCache().root);
  const { fetcher } = start(source, [descriptor], { cache });
  await fetcher.finished();
  assert.equal((await fetcher.readable(descriptor)).origin, "cache");
  assertNothingLeft(cache);
  await fetcher.close();
  assert.equal(source.requests.length, 0);
});

test("no lease is taken for a blob that another process has brought meanwhile", async () => {
  const source = new MemorySource({ pace: () => sleep(20) });
  const descriptors = [source.add("first"), source.add("second")];
  const leases: string[] = [];
  const cache = new (class extends BlobCache {
    override lease(digest: string) {
      leases.push(digest);
      return super.lease(digest);
    }
  })(newCache().root);
  const { fetcher } = start(source, descriptors, { cache, connections: 1 });
  bring(cache, source, descriptors[1]!);
  await fetcher.finished();
  await fetcher.close();
  assert.deepEqual(leases, [descriptors[0]!.digest]);
});

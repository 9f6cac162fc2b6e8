/** Blobs are fetched in segments, in the order of need, and are whole or not there. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../../lib/errors.ts";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { BlobFetcher, type FetchOptions } from "../../lib/store/blob_fetcher.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { MemorySource } from "./memory_source.ts";

const MiB = 1024 * 1024;
const scratch = scratchDirectory("fetcher");
const large = randomBytes(13 * MiB + 77);
let caches = 0;

test("blobs arrive whole, and large ones arrive in segments over several connections", async () => {
  const source = new MemorySource();
  const blobs = [large, Buffer.from("config"), Buffer.alloc(0), large.subarray(5 * MiB)];
  const descriptors = blobs.map((blob) => source.add(blob));
  const received = new Map<string, number>();
  const { cache, fetcher } = start(source, descriptors, {
    onReceived: ({ digest }, count) => received.set(digest, count),
  });
  await fetcher.finished();
  for (const [at, descriptor] of descriptors.entries()) {
    assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(blobs[at]!));
    assert.equal(received.get(descriptor.digest) ?? 0, descriptor.size);
  }
  await fetcher.close();
  assertNothingLeft(cache);
  assert.equal(source.mostOpen, 4);
  const ranges = source.requests.filter(({ digest }) => digest === descriptors[0]!.digest);
  assert.deepEqual(ranges.map(({ range }) => range!.start), [0, 4 * MiB, 8 * MiB, 12 * MiB]);
  const single = source.requests.find(({ digest }) => digest === descriptors[1]!.digest);
  assert.equal(single!.range, undefined);
});

test("the segments of a blob may end in any order", async () => {
  for (const order of [[3, 2, 1, 0], [0, 2, 1, 3], [3, 0, 1, 2]]) {
    const source = new MemorySource({
      pace: (_, position) => sleep(order.indexOf(Math.floor(position / (4 * MiB))) * 4),
    }, 4 * MiB);
    const descriptor = source.add(large);
    const { cache, fetcher } = start(source, [descriptor]);
    await fetcher.finished();
    assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
    await fetcher.close();
  }
});

test("requests that end only after the blob is complete do not complete it twice", async () => {
  const source = new LingeringSource({}, 4 * MiB);
  const descriptor = source.add(large);
  const { cache, fetcher } = start(source, [descriptor]);
  await fetcher.finished();
  await sleep(60);
  await assertNoFailure(fetcher);
  assert.ok(cache.find(descriptor) !== undefined);
  await fetcher.close();
});

test("blobs are asked for in the order of need", async () => {
  const source = new MemorySource();
  const descriptors = ["a", "b", "c", "d", "e"].map((text) => source.add(text));
  const { fetcher } = start(source, descriptors, { connections: 1 });
  await fetcher.finished();
  await fetcher.close();
  const asked = source.requests.map(({ digest }) => digest);
  assert.deepEqual(asked, descriptors.map(({ digest }) => digest));
  assert.equal(source.mostOpen, 1);
});

test("a blob that is several layers is asked for once", async () => {
  const source = new MemorySource();
  const [one, other] = [source.add("same"), source.add("other")];
  const { fetcher } = start(source, [one, other, one, one]);
  await fetcher.finished();
  assert.equal((await fetcher.readable(one)).descriptor.digest, one.digest);
  await fetcher.close();
  assert.equal(source.requests.length, 2);
});

test("a blob in the cache, or elsewhere on this machine, is not asked for", async () => {
  const source = new MemorySource();
  const descriptors = [source.add("cached"), source.add("local")];
  const { cache, fetcher } = start(source, [descriptors[0]!]);
  await fetcher.finished();
  await fetcher.close();
  const found: string[] = [];
  const place = { type: "file", path: "/local", offset: 7, checkedBy: "digest" } as const;
  const local = Object.assign(source, {
    place: ({ digest }: Descriptor) => digest === descriptors[1]!.digest ? place : undefined,
  });
  const again = new BlobFetcher(descriptors, {
    source: local,
    cache,
    connections: 4,
    signal: new AbortController().signal,
    nameOf: () => "Layer 1/1",
    onFound: ({ digest }) => void found.push(digest),
  });
  await again.finished();
  const readables = await Promise.all(descriptors.map((one) => again.readable(one)));
  assert.deepEqual(readables.map(({ origin }) => origin), ["cache", "local"]);
  assert.deepEqual(readables[1]!.place, place);
  assert.deepEqual(found.sort(), descriptors.map(({ digest }) => digest).sort());
  await again.close();
  assert.equal(source.requests.length, 1);
});

test("a server that ignores ranges is asked for whole blobs", async () => {
  const source = new MemorySource({ ignoresRanges: true });
  const blobs = [large, large.subarray(1), large.subarray(2)];
  const descriptors = blobs.map((blob) => source.add(blob));
  const { cache, fetcher } = start(source, descriptors);
  await fetcher.finished();
  for (const [at, descriptor] of descriptors.entries()) {
    assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(blobs[at]!));
  }
  await fetcher.close();
  assertNothingLeft(cache);
});

test("bytes with another digest are an error, and are not kept", async () => {
  const source = new MemorySource({ spoils: true });
  const descriptor = source.add(large);
  const { cache, fetcher } = start(source, [descriptor]);
  const readable = await fetcher.readable(descriptor);
  await assert.rejects(fetcher.verified(readable), { code: "digest", message: /^Layer 1\/1: / });
  await assert.rejects(fetcher.finished(), { code: "digest" });
  await fetcher.close();
  assert.equal(cache.find(descriptor), undefined);
  assertNothingLeft(cache);
});

test("a source that fails ends all transfers with its own error", async () => {
  const error = new DenrootError("network", "The connection broke");
  const source = new MemorySource({ failsAfter: { bytes: 2 * MiB, error } });
  const descriptors = [source.add("small"), source.add(large)];
  const { cache, fetcher } = start(source, descriptors);
  const named = { code: "network", message: "Layer 1/1: The connection broke", cause: error };
  await assert.rejects(fetcher.finished(), named);
  await assert.rejects(fetcher.failure, named);
  await fetcher.close();
  await untilQuiet(source);
  assert.equal(cache.find(descriptors[1]!), undefined);
  assertOnlyPartialsLeft(cache);
});

test("a source that sends fewer bytes than were asked for is an error", async () => {
  const source = new MemorySource({ stopsAfter: 1000 });
  const { cache, fetcher } = start(source, [source.add(large)]);
  await assert.rejects(within(fetcher.finished(), 2000), {
    code: "network",
    message: /1000 bytes arrived/,
  });
  await fetcher.close();
  assertNothingLeft(cache);
});

for (const deaf of [false, true]) {
  test(`an abort ends the transfers${deaf ? ", even of a source that goes on" : ""}`, async () => {
    const source = new MemorySource({ deaf, pace: () => sleep(5) }, 100_000);
    const descriptors = [source.add(large), source.add("small")];
    const controller = new AbortController();
    const { cache, fetcher } = start(source, descriptors, { signal: controller.signal });
    await sleep(40);
    const reason = new DenrootError("aborted", "Interrupted");
    controller.abort(reason);
    await assert.rejects(fetcher.finished(), reason);
    await fetcher.close();
    await untilQuiet(source);
    assert.equal(cache.find(descriptors[0]!), undefined);
    assertOnlyPartialsLeft(cache);
  });
}

test("an abort before the start is noticed", async () => {
  const source = new MemorySource({ pace: () => sleep(5) });
  const reason = new DenrootError("aborted", "Interrupted");
  const { cache, fetcher } = start(source, [source.add(large)], {
    signal: AbortSignal.abort(reason),
  });
  await assert.rejects(within(fetcher.finished(), 2000), reason);
  await fetcher.close();
  await untilQuiet(source);
  assertNothingLeft(cache);
});

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

/** Its requests end only some time after their last bytes. */
class LingeringSource extends MemorySource {
  override async *blob(...args: Parameters<MemorySource["blob"]>): AsyncIterable<Uint8Array> {
    yield* super.blob(...args);
    await sleep(20 + Math.random() * 10);
  }
}

function start(
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

function newCache(): BlobCache {
  const cache = new BlobCache(join(scratch, `cache-${caches++}`));
  cache.open();
  return cache;
}

function assertNothingLeft(cache: BlobCache): void {
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
}

/** What a later run can go on with. */
function assertOnlyPartialsLeft(cache: BlobCache): void {
  const left = fs.readdirSync(join(cache.root, "ingest"));
  assert.deepEqual(left.filter((name) => !/^[0-9a-f]{64}\.partial$/.test(name)), []);
}

async function assertNoFailure(fetcher: BlobFetcher): Promise<void> {
  const nothing = Symbol("nothing");
  assert.equal(await Promise.race([fetcher.failure, Promise.resolve(nothing)]), nothing);
}

async function untilQuiet(source: MemorySource): Promise<void> {
  for (let turn = 0; turn < 200 && source.open > 0; turn++) await sleep(5);
  assert.equal(source.open, 0, "requests go on");
}

async function within<T>(promise: Promise<T>, timeMs: number): Promise<T> {
  const timeout = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(timeMs, undefined, { signal: timeout.signal }).then(() => {
        throw new Error(`Nothing happened for ${timeMs} ms`);
      }),
    ]);
  } finally {
    timeout.abort();
  }
}

/** Waiting for blobs that another process fetches costs little, and ends when that process dies. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import test, { afterEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { BlobFetcher, type FetchOptions } from "../../lib/store/blob_fetcher.ts";
import { SilenceWatch } from "../../lib/system/files/silence_watch.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { MemorySource } from "./memory_source.ts";

const scratch = scratchDirectory("waiting");
/** A process that cannot be looked at from here. */
const ELSEWHERE = "n17.4711.1.0123abcd";
let caches = 0;
const renewals = new Map<string, ReturnType<typeof setInterval>>();

afterEach(() => renewals.forEach(clearInterval));

test("waiting costs a few looks a second, however many blobs others fetch", async () => {
  const source = new MemorySource();
  const descriptors = addMany(source, 300);
  const cache = newCache();
  for (const descriptor of descriptors) hold(cache, descriptor);
  await using waiter = start(source, descriptors, cache);
  assert.ok(cache.calls <= 3 * 16, `${cache.calls} at the start`);
  await sleep(700);
  cache.calls = 0;
  await sleep(1500);
  assert.ok(cache.calls >= 1 && cache.calls <= 8, `${cache.calls} in one second and a half`);
  assert.equal(source.requests.length, 0);
  assert.equal(waiter.messages.length, 1);
});

test("only what is being fetched is leased", async () => {
  const source = new MemorySource({ pace: () => sleep(200) });
  const descriptors = addMany(source, 20);
  const cache = newCache();
  await using _ = start(source, descriptors, cache, { connections: 1 });
  await sleep(50);
  assert.deepEqual(leasesIn(cache), [leaseName(descriptors[0]!)]);
});

test("the log names the process that is waited for, and whose blob is taken over", async () => {
  const source = new MemorySource();
  const descriptors = addMany(source, 3);
  const cache = newCache();
  for (const descriptor of descriptors) hold(cache, descriptor);
  await using waiter = start(source, descriptors, cache);
  const { messages, fetcher } = waiter;
  await waitUntil("a message", () => messages.length > 0);
  const waiting = "Layer 1/3 is being fetched by process 4711 on host n17: waiting for it";
  assert.deepEqual(messages, [waiting]);
  for (const descriptor of descriptors) silence(cache, descriptor);
  await fetcher.finished();
  const takeover = "Layer 1/3 is fetched here: process 4711 on host n17 did not finish it";
  assert.deepEqual(messages, [waiting, takeover]);
  assert.deepEqual(leasesIn(cache), []);
});

test("blobs that nobody fetches are fetched while an earlier one is waited for", async () => {
  const source = new MemorySource();
  const descriptors = addMany(source, 20);
  const [first, ...others] = descriptors as [Descriptor, ...Descriptor[]];
  const cache = newCache();
  hold(cache, first);
  await using waiter = start(source, descriptors, cache);
  for (const descriptor of others) {
    await waiter.fetcher.verified(await waiter.fetcher.readable(descriptor));
  }
  assert.equal(source.requests.length, others.length);
  assert.equal(cache.find(first), undefined);
  await bring(cache, source, first);
  await waiter.fetcher.finished();
  assert.equal((await waiter.fetcher.readable(first)).origin, "cache");
  assert.equal(source.requests.length, others.length);
});

test("a blob whose holder died is fetched, though an earlier one is still waited for", async () => {
  const source = new MemorySource();
  const descriptors = addMany(source, 2);
  const cache = newCache();
  for (const descriptor of descriptors) hold(cache, descriptor);
  await using waiter = start(source, descriptors, cache);
  silence(cache, descriptors[1]!);
  await waiter.fetcher.verified(await waiter.fetcher.readable(descriptors[1]!));
  assert.equal(source.requests.length, 1);
});

test("a process of this host that died is noticed at once", async () => {
  const source = new MemorySource();
  const [descriptor] = addMany(source, 1) as [Descriptor];
  const cache = newCache();
  hold(cache, descriptor, deadMark());
  await using waiter = start(source, [descriptor], cache);
  await waiter.fetcher.finished();
  assert.deepEqual(waiter.messages, []);
});

test("what comes free while all connections are busy is fetched before later blobs", async () => {
  const source = new MemorySource({ pace: () => sleep(150) });
  const descriptors = addMany(source, 8);
  const cache = newCache();
  hold(cache, descriptors[0]!);
  await using waiter = start(source, descriptors, cache, { connections: 1 });
  release(cache, descriptors[0]!);
  await waiter.fetcher.finished();
  const place = source.requests.findIndex(({ digest }) => digest === descriptors[0]!.digest);
  assert.ok(place >= 1 && place <= 4, `asked for as number ${place}`);
});

test("an abort ends the waiting", async () => {
  const source = new MemorySource();
  const descriptors = addMany(source, 2);
  const cache = newCache();
  for (const descriptor of descriptors) hold(cache, descriptor);
  const controller = new AbortController();
  await using waiter = start(source, descriptors, cache, { signal: controller.signal });
  await sleep(150);
  controller.abort(new Error("enough"));
  await assert.rejects(waiter.fetcher.finished(), { name: "DenrootError", code: "aborted" });
  cache.calls = 0;
  await sleep(500);
  assert.equal(cache.calls, 0);
});

test("something else in a lease's place costs a minute, and blocks nobody", async () => {
  const source = new MemorySource();
  const [descriptor] = addMany(source, 1) as [Descriptor];
  const cache = newCache();
  fs.mkdirSync(leaseFile(cache, descriptor));
  await using waiter = start(source, [descriptor], cache);
  await waiter.fetcher.finished();
  assert.equal(waiter.messages.length, 2);
});

/** Counts the questions that go to the shared directory. */
class CountingCache extends BlobCache {
  calls = 0;

  override findNew(descriptor: Descriptor) {
    this.calls++;
    return super.findNew(descriptor);
  }

  override lease(digest: string) {
    this.calls++;
    return super.lease(digest);
  }

  override holder(digest: string) {
    this.calls++;
    return super.holder(digest);
  }
}

function start(
  source: MemorySource,
  descriptors: readonly Descriptor[],
  cache: BlobCache,
  options: Partial<FetchOptions> = {},
) {
  const messages: string[] = [];
  const fetcher = new BlobFetcher(descriptors, {
    source,
    cache,
    connections: 4,
    signal: new AbortController().signal,
    nameOf: ({ digest }) => {
      const index = descriptors.findIndex((one) => one.digest === digest);
      return `Layer ${index + 1}/${descriptors.length}`;
    },
    onLog: (message) => void messages.push(message),
    ...options,
  });
  return { fetcher, messages, [Symbol.asyncDispose]: () => fetcher.close() };
}

/** Its clock runs fast, so that a minute's silence is over soon. */
function newCache(): CountingCache {
  const watch = new SilenceWatch(() => performance.now() * 300);
  const cache = new CountingCache(join(scratch, `cache-${caches++}`), watch);
  cache.open();
  return cache;
}

function addMany(source: MemorySource, count: number): Descriptor[] {
  return Array.from({ length: count }, (_, index) => source.add(`blob ${index}`));
}

/** Another process begins to fetch the blob, and renews its lease. */
function hold(cache: BlobCache, descriptor: Descriptor, mark = ELSEWHERE): void {
  const file = leaseFile(cache, descriptor);
  fs.writeFileSync(file, `${mark}\n`);
  renewals.set(file, setInterval(() => fs.appendFileSync(file, "."), 20));
}

/** It gives up. */
function release(cache: BlobCache, descriptor: Descriptor): void {
  silence(cache, descriptor);
  fs.rmSync(leaseFile(cache, descriptor));
}

/** It dies: nobody renews its lease. */
function silence(cache: BlobCache, descriptor: Descriptor): void {
  clearInterval(renewals.get(leaseFile(cache, descriptor)));
}

/** It finishes the blob. */
async function bring(cache: BlobCache, source: MemorySource, descriptor: Descriptor) {
  const ingest = cache.ingest(descriptor);
  ingest.write(source.bytesOf(descriptor), 0);
  await ingest.commit();
  release(cache, descriptor);
}

function leasesIn(cache: BlobCache): string[] {
  return fs.readdirSync(join(cache.root, "ingest")).filter((name) => name.endsWith(".lock"));
}

function leaseFile(cache: BlobCache, descriptor: Descriptor): string {
  return join(cache.root, "ingest", leaseName(descriptor));
}

function leaseName({ digest }: Descriptor): string {
  return `${digest.slice("sha256:".length)}.lock`;
}

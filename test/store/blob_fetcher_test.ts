/** Blobs are fetched in segments, in the order of need, and are whole or not there. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../../lib/errors.ts";
import { BlobFetcher } from "../../lib/store/blob_fetcher.ts";
import type { ByteRange, Descriptor } from "../../lib/types/image.ts";
import { until } from "../http/http_fixture.ts";
import { assertNothingLeft, assertOnlyPartialsLeft, start } from "./fetcher_fixture.ts";
import { MemorySource } from "./memory_source.ts";

const MiB = 1024 * 1024;
const large = randomBytes(13 * MiB + 77);

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
  const messages: string[] = [];
  const { fetcher } = start(source, [one, other, one, one], {
    onLog: (message) => void messages.push(message),
    onFound: ({ digest }) => void messages.push(`found ${digest}`),
  });
  await fetcher.finished();
  const { descriptor, origin } = await fetcher.readable(one);
  assert.deepEqual([descriptor.digest, origin, messages], [one.digest, "download", []]);
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
  const again = new BlobFetcher([...descriptors, ...descriptors], {
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

test("with a blob in the cache, as many requests begin at once as after a first small one", async () => {
  const source = new MemorySource();
  const small = source.add("configuration");
  const { cache, fetcher: first } = start(source, [small]);
  await first.finished();
  await first.close();
  const waiting = Promise.withResolvers<void>();
  const slow = new MemorySource({ pace: () => waiting.promise });
  const layers = ["a", "b", "c", "d"].map((content) => slow.add(content));
  const { fetcher } = start(slow, [small, ...layers], { cache });
  await until(() => slow.open >= 3);
  await sleep(20);
  assert.equal(slow.open, 3);
  waiting.resolve();
  await fetcher.finished();
  await fetcher.close();
});

for (const deaf of [false, true]) {
  test(`a server that ignores ranges is asked for whole blobs${deaf ? ", even if it sends on" : ""}`, async () => {
    const source = new MemorySource({ ignoresRanges: true, deaf, pace: () => sleep(1) }, 500_000);
    const blobs = [large, large.subarray(1), large.subarray(2)];
    const descriptors = blobs.map((blob) => source.add(blob));
    let isTooMuch = false;
    const { cache, fetcher } = start(source, descriptors, {
      connections: 2,
      onReceived: ({ size }, count) => void (isTooMuch ||= count > size),
    });
    await fetcher.finished();
    for (const [at, descriptor] of descriptors.entries()) {
      assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(blobs[at]!));
    }
    await fetcher.close();
    assertNothingLeft(cache);
    assert.ok(!isTooMuch, "bytes of a request that was given up were counted");
    assert.equal(source.requests.filter(({ range }) => (range?.start ?? 0) > 0).length, 1);
  });
}

test("few connections are used before the first request has ended", async () => {
  const source = new MemorySource({ pace: () => sleep(30) });
  const { fetcher } = start(source, [source.add(large), source.add("small")]);
  assert.equal(source.open, 2);
  await fetcher.close();
});

test("a blob that is nowhere is an error with its name", async () => {
  const source = new MemorySource();
  const descriptor = source.add("missing");
  Object.assign(source, { blob: undefined });
  const { fetcher } = start(source, [descriptor]);
  await assert.rejects(fetcher.finished(), {
    code: "not_found",
    message: "Layer 1/1: The source has no such blob",
  });
  await fetcher.close();
});

test("an abort by the source is not called a blob's fault", async () => {
  const error = new DenrootError("aborted", "Interrupted");
  const source = new MemorySource({ failsAfter: { bytes: 0, error } });
  const { fetcher } = start(source, [source.add("blob")]);
  await assert.rejects(fetcher.finished(), error);
  await fetcher.close();
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
  await assert.rejects(fetcher.finished(), {
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

test("a failure ends requests that are silent", async () => {
  const source = new SilentSource();
  const { fetcher } = start(source, [source.add("blob")]);
  await fetcher.close();
  await untilQuiet(source);
});

test("an abort before the start is noticed", async () => {
  const source = new MemorySource({ pace: () => sleep(5) });
  const reason = new DenrootError("aborted", "Interrupted");
  const { cache, fetcher } = start(source, [source.add(large)], {
    signal: AbortSignal.abort(reason),
  });
  await assert.rejects(fetcher.finished(), reason);
  await fetcher.close();
  await untilQuiet(source);
  assertNothingLeft(cache);
});

/** Its requests end only some time after their last bytes. */
class LingeringSource extends MemorySource {
  override async *blob(...args: Parameters<MemorySource["blob"]>): AsyncIterable<Uint8Array> {
    yield* super.blob(...args);
    await sleep(20 + Math.random() * 10);
  }
}

/** Its requests say nothing before they are ended. */
class SilentSource extends MemorySource {
  // deno-lint-ignore require-yield -- it has nothing to say
  override async *blob(
    _descriptor: Descriptor,
    _range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    this.open++;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.open--;
  }
}

async function assertNoFailure(fetcher: BlobFetcher): Promise<void> {
  const nothing = Symbol("nothing");
  assert.equal(await Promise.race([fetcher.failure, Promise.resolve(nothing)]), nothing);
}

async function untilQuiet(source: MemorySource): Promise<void> {
  for (let turn = 0; turn < 5000 && source.open > 0; turn++) await sleep(5);
  assert.equal(source.open, 0, "requests go on");
}

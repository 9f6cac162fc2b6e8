/** What a run that was stopped has brought of a blob is not asked for again. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { BlobFetcher } from "../../lib/store/blob_fetcher.ts";
import { bytesFrom, decodeRecord, encodeRecord } from "../../lib/store/partial_record.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { MemorySource } from "./memory_source.ts";

const MiB = 1024 * 1024;
const scratch = scratchDirectory("resume");
const large = randomBytes(13 * MiB + 77);
const small = randomBytes(300_000);
let caches = 0;

for (
  const [title, bytes, chunkSize] of [["large", large, 100_000], ["small", small, 5_000]] as const
) {
  test(`only the rest of a ${title} blob is asked for after an abort`, async () => {
    const cache = newCache();
    const { descriptor, received } = await interrupted(cache, bytes, chunkSize);
    const source = new MemorySource();
    source.add(bytes);
    const messages = await fetchAll(source, [descriptor], cache);
    assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(bytes));
    assert.equal(bytesAsked(source), bytes.length - received);
    assert.match(messages[0]!, /^Layer 1\/1 is resumed: \d+ % of it are here from an earlier run$/);
    assert.deepEqual(ingestOf(cache), []);
  });
}

test("a blob is resumed many times, whatever pieces of it are here", async () => {
  const cache = newCache();
  for (let run = 0; run < 4; run++) await interrupted(cache, large, 200_000);
  const source = new MemorySource();
  const descriptor = source.add(large);
  await fetchAll(source, [descriptor], cache);
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
  assert.ok(bytesAsked(source) < large.length - 2 * MiB, `${bytesAsked(source)}`);
});

test("a blob whose process was killed behind its last byte is not asked for at all", async () => {
  const cache = newCache();
  const source = new MemorySource();
  const descriptor = source.add(large);
  leave(cache, descriptor, `@${deadMark()}`, large, [[0, 5 * MiB], [
    5 * MiB,
    large.length - 5 * MiB,
  ]]);
  await fetchAll(source, [descriptor], cache);
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
  assert.deepEqual([source.requests.length, ingestOf(cache)], [0, []]);
});

test("the rest is asked for in order, and what lies between in pieces is not", async () => {
  const cache = newCache();
  const source = new MemorySource();
  const descriptor = source.add(large);
  const holes = Buffer.from(large).fill(0, MiB, 4 * MiB).fill(0, 9 * MiB, 12 * MiB);
  leave(cache, descriptor, ".partial", holes, [[0, MiB], [4 * MiB, 5 * MiB], [12 * MiB, 10]]);
  await fetchAll(source, [descriptor], cache);
  assert.deepEqual(source.requests.map(({ range }) => [range!.start, range!.end]), [
    [MiB, 4 * MiB],
    [9 * MiB, 12 * MiB],
    [12 * MiB + 10, large.length],
  ]);
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
});

test("a server that ignores ranges is asked for the whole blob", async () => {
  const cache = newCache();
  const { descriptor } = await interrupted(cache, large, 100_000);
  const source = new MemorySource({ ignoresRanges: true });
  source.add(large);
  await fetchAll(source, [descriptor], cache);
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
  assert.deepEqual(ingestOf(cache), []);
});

test("a damaged leftover is an error of the digest once, and is gone then", async () => {
  const cache = newCache();
  const source = new MemorySource();
  const descriptor = source.add(large);
  leave(cache, descriptor, ".partial", randomBytes(large.length), [[0, 5 * MiB]]);
  await assert.rejects(fetchAll(source, [descriptor], cache), { code: "digest" });
  assert.deepEqual(ingestOf(cache), []);
  await fetchAll(source, [descriptor], cache);
  assert.ok(fs.readFileSync(cache.find(descriptor)!).equals(large));
});

test("a process that takes over goes on with what the dead one brought", async () => {
  const cache = newCache();
  const source = new MemorySource();
  const descriptor = source.add(large);
  const mark = deadMark();
  leave(cache, descriptor, `@${mark}`, large, [[0, 5 * MiB]]);
  fs.writeFileSync(join(cache.root, "ingest", `${hexOf(descriptor)}.lock`), `${mark}\n`);
  await fetchAll(source, [descriptor], cache);
  assert.equal(bytesAsked(source), large.length - 5 * MiB);
});

const strangers: readonly [title: string, spoil: (file: string) => void][] = [
  ["a file of a living process", (file) => fs.renameSync(file, file.replace(/\.partial$/, ALIVE))],
  [
    "a file of a process elsewhere",
    (file) => fs.renameSync(file, file.replace(/\.partial$/, AWAY)),
  ],
  ["a file that others may write to", (file) => fs.chmodSync(file, 0o620)],
  ["a file that has another name", (file) => fs.linkSync(file, `${scratch}/link-${caches}`)],
  ["a symlink", (file) => {
    fs.renameSync(file, `${scratch}/target-${caches}`);
    fs.symlinkSync(`${scratch}/target-${caches}`, file);
  }],
  ["a pipe", (file) => {
    fs.rmSync(file);
    execFileSync("mkfifo", ["-m", "600", file]);
  }],
  ["a directory", (file) => {
    fs.rmSync(file);
    fs.mkdirSync(file);
  }],
];
const ALIVE = `@${processMark()}`;
const AWAY = "@n17.4711.1.00000000.0123abcd";
for (const [title, spoil] of strangers) {
  test(`${title} is not touched`, () => assertUntouched(spoil));
}

test("another user's file is not touched", (context: TestContext) => {
  if (process.getuid!() !== 0) return context.skip("needs root");
  return assertUntouched((file) => fs.chownSync(file, 54321, 54321));
});

test("leftovers of blobs go when they are a day old", () => {
  const cache = newCache();
  const names = [".partial", `@${deadMark()}`, AWAY, ALIVE];
  for (const [index, name] of names.entries()) {
    for (const [hex, hours] of [[`${index}a`, 23], [`${index}b`, 25]] as const) {
      const file = join(cache.root, "ingest", hex.repeat(32) + name);
      fs.writeFileSync(file, "half");
      const seconds = Date.now() / 1000 - hours * 3600;
      fs.utimesSync(file, seconds, seconds);
    }
  }
  cache.open();
  const left = ingestOf(cache).map((name) => name.slice(0, 2)).sort();
  assert.deepEqual(left, ["0a", "1a", "2a", "3a", "3b"]);
});

test("a record says what was written into it, and a torn one says less", () => {
  const of = (...pairs: [number, number][]) =>
    pairs.map(([start, received]) => ({ start, received }));
  const record = encodeRecord(of([0, 30], [30, 40], [100, 0], [200, 50]));
  const read = decodeRecord(record, 250);
  assert.deepEqual(read, of([0, 70], [200, 50]));
  assert.deepEqual(decodeRecord(record.subarray(0, 20), 250), of([0, 30]));
  assert.deepEqual(decodeRecord(record, 249), of([0, 70]));
  assert.deepEqual(decodeRecord(randomBytes(320), 1e6), []);
  assert.deepEqual([0, 69, 70, 210].map((at) => bytesFrom(at, read)), [70, 1, 0, 40]);
});

async function assertUntouched(spoil: (file: string) => void): Promise<void> {
  const cache = newCache();
  const source = new MemorySource();
  const descriptor = source.add(large);
  spoil(leave(cache, descriptor, ".partial", large, [[0, 5 * MiB]]));
  const before = ingestOf(cache);
  await fetchAll(source, [descriptor], cache);
  assert.equal(bytesAsked(source), large.length);
  assert.deepEqual(ingestOf(cache), before);
}

/** A run that is aborted after some pieces; gives how many bytes it had. */
async function interrupted(cache: BlobCache, bytes: Uint8Array, chunkSize: number) {
  let received = 0;
  let chunks = 0;
  const closing = Promise.withResolvers<void>();
  // However slow this test runs, the source never gets to its end.
  const pace = () => chunks > 10 ? closing.promise : sleep(2);
  const source = new MemorySource({ pace }, chunkSize);
  const descriptor = source.add(bytes);
  const fetcher = start(source, [descriptor], cache, {
    onReceived(_, count) {
      received = count;
      chunks++;
    },
  });
  await waitUntil("some chunks", () => chunks > 10);
  const closed = fetcher.close();
  closing.resolve();
  await closed;
  assert.deepEqual(ingestOf(cache), [`${hexOf(descriptor)}.partial`]);
  return { descriptor, received };
}

/** Leaves a blob of which only these stretches are known to be there. */
function leave(
  cache: BlobCache,
  descriptor: Descriptor,
  ending: string,
  content: Uint8Array,
  stretches: readonly (readonly [start: number, received: number])[],
): string {
  const file = join(cache.root, "ingest", `${hexOf(descriptor)}${ending}`);
  const record = encodeRecord(stretches.map(([start, received]) => ({ start, received })));
  fs.writeFileSync(file, Buffer.concat([content, record]), { mode: 0o600 });
  return file;
}

async function fetchAll(
  source: MemorySource,
  descriptors: readonly Descriptor[],
  cache: BlobCache,
): Promise<string[]> {
  const messages: string[] = [];
  const fetcher = start(source, descriptors, cache, {
    onLog: (message) => void messages.push(message),
  });
  try {
    await fetcher.finished();
  } finally {
    await fetcher.close();
  }
  return messages;
}

function start(
  source: MemorySource,
  descriptors: readonly Descriptor[],
  cache: BlobCache,
  options: {
    readonly onReceived?: (descriptor: Descriptor, count: number) => void;
    readonly onLog?: (message: string) => void;
  },
): BlobFetcher {
  const { signal } = new AbortController();
  return new BlobFetcher(descriptors, {
    source,
    cache,
    connections: 4,
    signal,
    nameOf: () => "Layer 1/1",
    ...options,
  });
}

function bytesAsked(source: MemorySource): number {
  return source.requests.reduce(
    (sum, { digest, range }) =>
      sum + (range === undefined ? source.bytesOf({ digest }).length : range.end - range.start),
    0,
  );
}

function newCache(): BlobCache {
  const cache = new BlobCache(join(scratch, `cache-${caches++}`));
  cache.open();
  return cache;
}

function ingestOf(cache: BlobCache): string[] {
  return fs.readdirSync(join(cache.root, "ingest"));
}

function hexOf({ digest }: Descriptor): string {
  return digest.slice("sha256:".length);
}

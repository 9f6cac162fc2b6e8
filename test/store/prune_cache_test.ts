/** What a cache holds, and what pruning takes from it beside imports. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as digests from "../../lib/oci/digest.ts";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { cacheContents } from "../../lib/store/cache_contents.ts";
import { pruneCache, type PruneOptions } from "../../lib/store/prune_cache.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { nobody } from "../helpers/other_user.ts";
import { newCache, start } from "./fetcher_fixture.ts";
import { MemorySource } from "./memory_source.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NEEDS_ROOT = process.getuid!() === 0 ? false : "needs root, to give files away";
const hex = "ab".repeat(32);

test("the contents are blobs by their last use, unfinished downloads and tools", () => {
  const cache = newCache();
  add(cache, "newer", 1);
  add(cache, "the oldest", 5);
  fs.writeFileSync(join(cache.root, "blobs/sha256/README"), "no blob");
  for (const name of [`${hex}@${processMark()}`, `${hex}.partial`, `spool0@${processMark()}`]) {
    fs.writeFileSync(join(cache.root, "ingest", name), "four");
  }
  fs.writeFileSync(join(cache.root, "ingest", `${hex}.lock`), processMark());
  fs.mkdirSync(join(cache.root, "tools-0", hex), { recursive: true });
  fs.writeFileSync(join(cache.root, "tools-0", hex, "mksquashfs"), "program");
  const { path, blobs, unfinished, tools } = cacheContents(cache.root);
  assert.equal(path, cache.root);
  assert.deepEqual(
    blobs.map(({ digest, bytes, isOwn }) => [digest, bytes, isOwn]),
    [[digestOf("the oldest"), 10, true], [digestOf("newer"), 5, true]],
  );
  assert.equal(Math.round((Date.now() - blobs[0]!.used.getTime()) / DAY_MS), 5);
  assert.equal(unfinished.count, 3);
  assert.ok(unfinished.bytes <= 12);
  assert.deepEqual(tools, { count: 1, bytes: 7 });
});

test("an absent cache is empty, and pruning does not make it", () => {
  const root = join(newCache().root, "absent");
  assert.deepEqual(cacheContents(root).blobs, []);
  assert.deepEqual(pruneCache(root, { keepBytes: 0 }).removed, []);
  assert.ok(!fs.existsSync(root));
});

/** Blobs of 10 bytes, by their names: used 9, 5 and 2 days ago, and half an hour ago. */
const AGES = { nine: 9, five: 5, two: 2, now: 1 / 48 } as const;

const PRUNES: ReadonlyArray<[options: PruneOptions, removed: readonly string[], inUse: number]> = [
  [{ olderThanMs: 10 * DAY_MS }, [], 0],
  [{ olderThanMs: 4 * DAY_MS }, ["nine", "five"], 0],
  [{ olderThanMs: 0 }, ["nine", "five", "two"], 1],
  [{ keepBytes: 40 }, [], 0],
  [{ keepBytes: 39 }, ["nine"], 0],
  [{ keepBytes: 20 }, ["nine", "five"], 0],
  [{ keepBytes: 0 }, ["nine", "five", "two"], 1],
  [{ keepBytes: 35, olderThanMs: 4 * DAY_MS }, ["nine", "five"], 0],
  [{ keepBytes: 10, olderThanMs: 8 * DAY_MS }, ["nine", "five", "two"], 0],
];

for (const [options, names, inUse] of PRUNES) {
  test(`pruning by ${JSON.stringify(options)} removes ${names.join(", ") || "nothing"}`, () => {
    const cache = newCache();
    const all = Object.entries(AGES).map(([name, days]) => add(cache, name.padEnd(10), days));
    const expected = names.map((name) => digestOf(name.padEnd(10)));
    const before = listing(cache);
    const dry = pruneCache(cache.root, { ...options, dryRun: true });
    assert.deepEqual(listing(cache), before);
    const result = pruneCache(cache.root, options);
    assert.deepEqual(result, dry);
    assert.deepEqual(result.removed.map(({ digest }) => digest), expected);
    assert.deepEqual(result.kept, {
      count: all.length - names.length,
      bytes: 10 * (all.length - names.length),
    });
    assert.equal(result.inUse.count, inUse);
    const left = cacheContents(cache.root).blobs.map(({ digest }) => digest);
    assert.deepEqual(left, all.filter((digest) => !expected.includes(digest)));
  });
}

test("pruning without a limit is the caller's mistake", () => {
  assert.throws(() => pruneCache(newCache().root, {}), TypeError);
});

test("an image layout that has images is not pruned", () => {
  const cache = newCache();
  add(cache, "layer", 9);
  const index = { schemaVersion: 2, manifests: [{ digest: digestOf("layer") }] };
  fs.writeFileSync(join(cache.root, "index.json"), JSON.stringify(index));
  assert.throws(() => pruneCache(cache.root, { keepBytes: 0 }), /is an image layout/);
  assert.equal(cacheContents(cache.root).blobs.length, 1);
});

test("what living processes work on stays, and what dead ones left goes by its age", () => {
  const cache = newCache();
  const kept = [`${hex}@${processMark()}`, `${hex}.lock`, `spool0@${processMark()}`];
  for (const name of kept) write(cache, name, processMark(), 0);
  write(cache, `${hex}.partial`, "", 0);
  write(cache, `spool1@${deadMark()}`, "", 0);
  write(cache, `${"cd".repeat(32)}.partial`, "", 2);
  pruneCache(cache.root, { keepBytes: 0 });
  const left = fs.readdirSync(join(cache.root, "ingest"));
  assert.deepEqual(left.sort(), [...kept, `${hex}.partial`].sort());
});

test("an import that runs keeps its blobs, however old they are", async () => {
  const source = new MemorySource({ pace: () => new Promise(() => {}) });
  const descriptors = [source.add("cached layer"), source.add("a layer that never comes")];
  const cache = newCache();
  add(cache, "cached layer", 9);
  const stale = add(cache, "another image's", 9);
  const { fetcher } = start(source, descriptors, { cache });
  const { removed } = pruneCache(cache.root, { keepBytes: 0 });
  assert.deepEqual(removed.map(({ digest }) => digest), [stale]);
  assert.ok(cache.find(descriptors[0]!) !== undefined);
  await fetcher.close();
});

test("an import that is over keeps its blobs no longer", async () => {
  const cache = new CountingCache(newCache().root);
  const { fetcher } = start(new MemorySource(), [], { cache });
  assert.equal(cache.kept, 1);
  await fetcher.close();
  assert.equal(cache.kept, 0);
});

test("a blob that came in a stream is kept until the cache is closed", async () => {
  const cache = new CountingCache(newCache().root);
  const writer = cache.spool();
  writer.write(Buffer.from("of an archive"));
  await writer.commit();
  assert.equal(cache.kept, 1);
  cache.close();
  assert.equal(cache.kept, 0);
});

/** It counts whose blobs are kept from pruning. */
class CountingCache extends BlobCache {
  kept = 0;

  override keepUsed(digests: readonly string[]) {
    this.kept++;
    const letAge = super.keepUsed(digests);
    return () => {
      this.kept--;
      letAge();
    };
  }
}

test("a blob that an import marks or removes while others are pruned is left to it", () => {
  const cache = newCache();
  const [first, marked, removed] = ["1", "2", "3"].map((name, index) =>
    add(cache, name, 9 - index)
  ) as [
    string,
    string,
    string,
  ];
  const { rmSync } = fs;
  Object.assign(fs, {
    rmSync(file: string, options?: fs.RmOptions) {
      rmSync(file, options);
      if (!file.includes("blobs")) return;
      age(join(cache.root, digests.blobPath(marked)), 0);
      rmSync(join(cache.root, digests.blobPath(removed)), { force: true });
    },
  });
  try {
    const result = pruneCache(cache.root, { keepBytes: 0 });
    assert.deepEqual(result.removed.map(({ digest }) => digest), [first]);
  } finally {
    Object.assign(fs, { rmSync });
  }
  assert.deepEqual(cacheContents(cache.root).blobs.map(({ digest }) => digest), [marked]);
});

test("blobs are marked as used again and again, until nobody needs them", async () => {
  const cache = newCache();
  const digest = add(cache, "layer", 9);
  const letAge = cache.keepUsed([digest], 10);
  const file = join(cache.root, digests.blobPath(digest));
  age(file, 9);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  await pause();
  assert.ok(Date.now() - fs.statSync(file).mtimeMs < DAY_MS);
  letAge();
  age(file, 9);
  await pause();
  assert.ok(Date.now() - fs.statSync(file).mtimeMs > DAY_MS);
});

test("other users' blobs stay and do not count", { skip: NEEDS_ROOT }, () => {
  const cache = newCache();
  const others = add(cache, "a large blob of another user", 9);
  fs.chownSync(join(cache.root, digests.blobPath(others)), nobody, nobody);
  const older = add(cache, "older", 5);
  add(cache, "newer", 2);
  const result = pruneCache(cache.root, { keepBytes: 5 });
  assert.deepEqual(result.removed.map(({ digest }) => digest), [older]);
  assert.deepEqual(result.others, { count: 1, bytes: 28 });
  const { removed } = pruneCache(cache.root, { olderThanMs: DAY_MS });
  assert.deepEqual(removed.map(({ digest }) => digest), [digestOf("newer")]);
  assert.deepEqual(cacheContents(cache.root).blobs.map(({ digest }) => digest), [others]);
});

function digestOf(content: string) {
  return digests.digestOf(Buffer.from(content));
}

/** Puts a blob into the cache that was last used so many days ago. */
function add(cache: BlobCache, content: string, daysAgo: number) {
  const digest = digestOf(content);
  const file = join(cache.root, digests.blobPath(digest));
  fs.mkdirSync(join(cache.root, "blobs/sha256"), { recursive: true });
  fs.writeFileSync(file, content);
  age(file, daysAgo);
  return digest;
}

function write(cache: BlobCache, name: string, content: string, daysAgo: number): void {
  const file = join(cache.root, "ingest", name);
  fs.writeFileSync(file, content);
  age(file, daysAgo);
}

function age(file: string, days: number): void {
  const seconds = (Date.now() - days * DAY_MS) / 1000;
  fs.utimesSync(file, seconds, seconds);
}

/** Names and times, without those of directories: a question for the time changes them. */
function listing({ root }: BlobCache): readonly (readonly unknown[])[] {
  return fs.readdirSync(root, { recursive: true }).map((name) => {
    const status = fs.lstatSync(join(root, String(name)));
    return [name, status.size, status.isFile() && status.mtimeMs];
  });
}

test("a cache that cannot be written is not pruned, and the error says how it could", (t) => {
  const cache = newCache();
  const open = BlobCache.prototype.open;
  t.after(() => BlobCache.prototype.open = open);
  // A mount that is read-only for root too.
  BlobCache.prototype.open = () => {
    const cause = Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
    throw new Error("It cannot be used", { cause });
  };
  assert.throws(() => pruneCache(cache.root, { olderThanMs: 0 }), {
    code: "file",
    message: `The cache ${cache.root} cannot be written, so it cannot be pruned`,
    hint: /not mounted read-only/,
  });
});

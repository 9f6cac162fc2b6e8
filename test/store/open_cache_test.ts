/** The cache of a command, when the one in the settings can be used and when not. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { openCache, openStore } from "../../lib/store/open_cache.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import type { ProgressEvent } from "../../lib/types/progress.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("cache");
const noDirectory = join(scratch, "file");
writeFileSync(noDirectory, "");

test("the cache of the settings stays", async () => {
  const { opened, messages } = await open({ HOME: scratch });
  opened[Symbol.dispose]();
  assert.deepEqual([opened.cache.root, messages], [join(scratch, ".cache/enroot"), []]);
  assert.ok(existsSync(join(opened.cache.root, "oci-layout")));
});

test("when the default cache cannot be used, a temporary one lies beside the output", async () => {
  const work = join(scratch, "work");
  const { opened, messages } = await open({ HOME: noDirectory });
  assert.deepEqual(readdirSync(work), [opened.cache.root.slice(work.length + 1)]);
  assert.deepEqual(messages.length, 1);
  assert.match(
    messages[0]!,
    /^The cache .*file\/\.cache\/enroot cannot be used \(ENOTDIR.*not kept$/,
  );
  opened[Symbol.dispose]();
  assert.deepEqual(readdirSync(work), []);
});

test("the cache of a killed run beside the output is removed, and other files stay", async () => {
  const work = join(scratch, "killed");
  const stale = deadMark();
  for (const name of [`.denroot-${stale}.cache`, `.denroot-${processMark()}.cache`, "mine.cache"]) {
    mkdirSync(join(work, name, "blobs"), { recursive: true });
  }
  const { opened } = await open({ HOME: noDirectory }, work);
  opened[Symbol.dispose]();
  const left = readdirSync(work).sort();
  assert.deepEqual([left.length, left[1]], [2, "mine.cache"]);
  assert.ok(!left.includes(`.denroot-${stale}.cache`));
});

test("a cache that a setting names and that cannot be used is an error", async () => {
  await assert.rejects(open({ HOME: scratch, ENROOT_CACHE_PATH: noDirectory }), { code: "file" });
});

test("a store opens no cache before it has something to keep", async () => {
  const HOME = join(scratch, "untouched");
  using _ = openStore(await load({ HOME }), () => assert.fail("Nothing is to be said"));
  assert.ok(!existsSync(HOME));
});

test("a store keeps things among temporary files when the default cache cannot be used", async () => {
  const TMPDIR = join(scratch, "temporary");
  mkdirSync(TMPDIR);
  const messages: string[] = [];
  const store = openStore(await load({ HOME: noDirectory, TMPDIR }), recordIn(messages));
  assert.equal(store.find({ digest: `sha256:${"0".repeat(64)}` }), undefined);
  assert.deepEqual([readdirSync(TMPDIR), messages], [[], []]);
  for (const text of ["one", "two"]) {
    const writer = store.spool();
    writer.write(new TextEncoder().encode(text));
    const { digest } = await writer.commit();
    writer.close();
    const file = store.find({ digest })!;
    assert.equal(readFileSync(file, "utf8"), text);
    assert.ok(file.startsWith(`${TMPDIR}/.denroot-`));
  }
  assert.deepEqual([readdirSync(TMPDIR).length, messages.length], [1, 1]);
  store[Symbol.dispose]();
  assert.deepEqual(readdirSync(TMPDIR), []);
});

async function open(env: Record<string, string>, work = join(scratch, "work")) {
  mkdirSync(work, { recursive: true });
  const messages: string[] = [];
  return { opened: openCache(await load(env), work, recordIn(messages)), messages };
}

function load(env: Record<string, string>) {
  return loadSettings({ ENROOT_SYSCONF_PATH: "/nonexistent", ...env });
}

function recordIn(messages: string[]) {
  return (event: ProgressEvent) => {
    if (event.type === "log") messages.push(event.message);
  };
}

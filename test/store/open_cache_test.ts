/** The cache of a command, when the one in the settings can be used and when not. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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
    /^The cache .*file\/\.cache\/enroot cannot be used \(ENOTDIR.*not kept\. Set ENROOT_CACHE_PATH/,
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

/** [what is wrong, the cache's path] */
const UNUSABLE: ReadonlyArray<readonly [string, string]> = [
  ["is a file", noDirectory],
  ["lies below a file", join(noDirectory, "cache")],
  ["lies where nobody can create anything", "/proc/none/cache"],
  ["is a device", "/dev/null"],
  ["is a link to itself", join(scratch, "circle")],
  ["is a link to nothing", join(scratch, "dangling")],
  ["has a name that is too long", join(scratch, "x".repeat(300))],
];
symlinkSync("circle", join(scratch, "circle"));
symlinkSync("nowhere/else", join(scratch, "dangling"));

for (const [what, cachePath] of UNUSABLE) {
  test(`a cache that a setting names and that ${what} is done without`, async () => {
    const { opened, messages } = await open({ HOME: scratch, ENROOT_CACHE_PATH: cachePath });
    opened[Symbol.dispose]();
    assert.equal(messages.length, 1);
    assert.match(
      messages[0]!,
      /^The cache .* cannot be used \((?:E|it is not a directory).*\): layers are not kept\. Set/,
    );
  });
}

test("a cache that is no directory for writing is still read, and what is damaged is not", async () => {
  const root = join(scratch, "unwritable");
  using first = (await open({ HOME: scratch, ENROOT_CACHE_PATH: root })).opened;
  const digests = [];
  for (const text of ["sound", "damaged"]) {
    const writer = first.cache.spool();
    writer.write(new TextEncoder().encode(text));
    digests.push(await writer.commit());
    writer.close();
  }
  rmSync(join(root, "ingest"), { recursive: true });
  writeFileSync(join(root, "ingest"), "not a directory");
  const { opened, messages } = await open({ HOME: scratch, ENROOT_CACHE_PATH: root });
  const [sound, damaged] = digests.map(({ digest }) => digest);
  assert.equal(readFileSync(opened.cache.find({ digest: sound! })!, "utf8"), "sound");
  assert.equal(opened.cache.othersMayWrite, true);
  assert.match(
    messages.join(),
    /cannot be written .*: layers that can be read there are used, and/,
  );
  // As the import does with a blob whose bytes are wrong.
  opened.cache.remove(damaged!);
  assert.equal(opened.cache.find({ digest: damaged! }), undefined);
  const writer = opened.cache.spool();
  writer.write(new TextEncoder().encode("new"));
  const { digest } = await writer.commit();
  writer.close();
  assert.ok(!opened.cache.find({ digest })!.startsWith(root));
  opened[Symbol.dispose]();
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

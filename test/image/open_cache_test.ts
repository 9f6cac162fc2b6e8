/** The cache where the settings' one can be had, and where not. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { openCache } from "../../lib/image/open_cache.ts";
import { processMark } from "../../lib/system/process_mark.ts";
import type { ProgressEvent } from "../../lib/types.ts";
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

test("where the default cannot be had, one beside the output serves until the end", async () => {
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

test("what a killed run left beside the output is removed, and nothing else", async () => {
  const work = join(scratch, "work");
  const stale = processMark().replace(/\.\d+\./, ".4194304.");
  for (const name of [`.denroot-${stale}.cache`, `.denroot-${processMark()}.cache`, "mine.cache"]) {
    mkdirSync(join(work, name, "blobs"), { recursive: true });
  }
  const { opened } = await open({ HOME: noDirectory });
  opened[Symbol.dispose]();
  const left = readdirSync(work).sort();
  assert.deepEqual([left.length, left[1]], [2, "mine.cache"]);
  assert.ok(!left.includes(`.denroot-${stale}.cache`));
});

test("a cache that somebody named is used or nothing", async () => {
  await assert.rejects(open({ HOME: scratch, ENROOT_CACHE_PATH: noDirectory }), { code: "file" });
});

async function open(env: Record<string, string>) {
  const output = join(scratch, "work/image.sqsh");
  mkdirSync(join(scratch, "work"), { recursive: true });
  const settings = await loadSettings({ ENROOT_SYSCONF_PATH: "/nonexistent", ...env });
  const messages: string[] = [];
  const record = (event: ProgressEvent) => event.type === "log" && messages.push(event.message);
  return { opened: openCache(settings, output, record), messages };
}

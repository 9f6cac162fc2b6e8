/** Where carried programs are put to run: no program runs that another user could have put there. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { inCache, inTemporaryDirectory, runPlaces } from "../../lib/tools/run_places.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("places");
const content = Buffer.from("#!/bin/sh\nexit 0\n");
const digest = createHash("sha256").update(content).digest("hex");
const isRoot = process.getuid!() === 0;
const STRANGER = 54321;
let caches = 0;

test("the places are memory, the cache, and the directories for temporary files", () => {
  const names = (environment: Record<string, string>) =>
    runPlaces({ cachePath: "/c", environment }).map((place) => place.name);
  const own = `/c/tools-${process.getuid!()}`;
  assert.deepEqual(names({}), ["memory", own, "/tmp"]);
  assert.deepEqual(names({ XDG_RUNTIME_DIR: "/run/user/1", TMPDIR: "/scratch/" }), [
    "memory",
    own,
    "/run/user/1",
    "/scratch",
  ]);
  assert.deepEqual(names({ XDG_RUNTIME_DIR: "/tmp", TMPDIR: "" }), ["memory", own, "/tmp"]);
});

test("the cache keeps a program by its content, for its user alone", async () => {
  const cache = newCache();
  const placed = await inCache(cache).put("tool", content);
  assert.equal(placed.path, fileIn(cache));
  placed[Symbol.dispose]();
  assert.deepEqual(fs.readFileSync(placed.path), content);
  assert.equal(fs.statSync(placed.path).mode & 0o7777, 0o700);
  assert.equal(fs.statSync(dirname(placed.path)).mode & 0o7777, 0o700);
  assert.deepEqual(fs.readdirSync(dirname(placed.path)), ["tool"]);
});

test("a good file in the cache is used as it is", async () => {
  const cache = newCache();
  await inCache(cache).put("tool", content);
  const { ino } = fs.statSync(fileIn(cache));
  await inCache(cache).put("tool", content);
  assert.equal(fs.statSync(fileIn(cache)).ino, ino);
});

const spoiled: readonly [title: string, spoil: (file: string) => void, asRoot?: boolean][] = [
  ["has another content", (file) => fs.writeFileSync(file, "#!/bin/sh\nexit 1\n")],
  ["is cut short", (file) => fs.truncateSync(file, 5)],
  ["other users may write to", (file) => fs.chmodSync(file, 0o722)],
  ["may not be run", (file) => fs.chmodSync(file, 0o600)],
  ["is a symbolic link", (file) => {
    fs.renameSync(file, `${file}-elsewhere`);
    fs.symlinkSync(`${file}-elsewhere`, file);
  }],
  ["belongs to another user", (file) => fs.chownSync(file, STRANGER, STRANGER), true],
];
for (const [title, spoil, asRoot] of spoiled) {
  test(`a file in the cache that ${title} is replaced`, async (context) => {
    if (asRoot && !isRoot) return context.skip("needs root");
    const cache = newCache();
    await inCache(cache).put("tool", content);
    const file = fileIn(cache);
    const before = fs.lstatSync(file).ino;
    spoil(file);
    await inCache(cache).put("tool", content);
    const status = fs.lstatSync(file);
    assert.ok(status.isFile() && (status.mode & 0o7777) === 0o700);
    assert.equal(status.uid, process.getuid!());
    assert.notEqual(status.ino, before);
    assert.deepEqual(fs.readFileSync(file), content);
  });
}

const unsafe: readonly [
  title: string,
  spoil: (cache: string, own: string) => void,
  message: RegExp,
  asRoot?: boolean,
][] = [
  [
    "a directory that other users may write to",
    (_, own) => fs.chmodSync(own, 0o770),
    /others may write/,
  ],
  ["a symbolic link for a directory", (_, own) => {
    fs.renameSync(own, `${own}-elsewhere`);
    fs.symlinkSync(`${own}-elsewhere`, own);
  }, /not a directory/],
  ["a file for a directory", (_, own) => {
    fs.rmSync(own, { recursive: true });
    fs.writeFileSync(own, "");
  }, /not a directory/],
  [
    "a directory above it that other users may write to",
    (cache) => fs.chmodSync(cache, 0o777),
    /others may write/,
  ],
  [
    "another user's directory",
    (_, own) => fs.chownSync(own, STRANGER, STRANGER),
    /another user/,
    true,
  ],
  [
    "another user's directory for the program",
    (_, own) => fs.chownSync(join(own, digest), STRANGER, STRANGER),
    /another user/,
    true,
  ],
  [
    "another user's directory above it",
    (cache) => fs.chownSync(cache, STRANGER, STRANGER),
    /another user/,
    true,
  ],
];
for (const [title, spoil, message, asRoot] of unsafe) {
  test(`a cache with ${title} is not used`, async (context) => {
    if (asRoot && !isRoot) return context.skip("needs root");
    const cache = newCache();
    await inCache(cache).put("tool", content);
    spoil(cache, dirname(dirname(fileIn(cache))));
    await assert.rejects(async () => await inCache(cache).put("tool", content), { message });
  });
}

test("the user nobody is trusted only where it can stand for root", async (context) => {
  if (!isRoot) return context.skip("needs root");
  const map = fs.readFileSync("/proc/self/uid_map", "utf8");
  if (!/^\s*0\s+0\s+4294967295\s*$/.test(map)) return context.skip("not all users are known");
  const cache = newCache();
  fs.mkdirSync(cache);
  fs.chownSync(cache, 65534, 65534);
  await assert.rejects(async () => await inCache(cache).put("tool", content), /another user/);
});

test("the path of a program contains no symbolic links", async () => {
  const cache = newCache();
  fs.mkdirSync(cache);
  const link = newCache();
  fs.symlinkSync(cache, link);
  const { path } = await inCache(link).put("tool", content);
  assert.equal(path, fileIn(cache));
  const parent = newCache();
  fs.mkdirSync(parent);
  fs.rmSync(link);
  fs.symlinkSync(parent, link);
  using placed = await inTemporaryDirectory(link).put("tool", content);
  assert.equal(dirname(dirname(placed.path)), parent);
});

test("the next run removes what killed runs left in the cache", async () => {
  const cache = newCache();
  await inCache(cache).put("tool", content);
  const own = dirname(dirname(fileIn(cache)));
  const mark = processMark();
  const kept = [`.${mark}`, digest];
  for (const name of [`.${deadMark()}`, kept[0]!]) {
    fs.writeFileSync(join(own, name), "half");
  }
  await inCache(cache).put("tool", content);
  assert.deepEqual(fs.readdirSync(own).sort(), kept.sort());
});

test("a sticky directory above the cache is as safe as the user's own", async () => {
  const cache = newCache();
  fs.mkdirSync(cache);
  fs.chmodSync(cache, 0o1777);
  await inCache(cache).put("tool", content);
});

test("only its user can use a temporary directory, and it is removed after its use", async () => {
  const parent = newCache();
  fs.mkdirSync(parent);
  const placed = await inTemporaryDirectory(parent).put("tool", content);
  assert.deepEqual(fs.readFileSync(placed.path), content);
  assert.equal(fs.statSync(dirname(placed.path)).mode & 0o7777, 0o700);
  placed[Symbol.dispose]();
  assert.deepEqual(fs.readdirSync(parent), []);
});

test("the next run removes what killed runs left in a temporary directory", async () => {
  const parent = newCache();
  const own = processMark();
  const dead = `.denroot-tools-${deadMark()}`;
  const kept = [`.denroot-tools-${own}`, ".denroot-tools-elsewhere.1.1.0123abcd", "other"];
  for (const name of [dead, ...kept]) fs.mkdirSync(join(parent, name), { recursive: true });
  (await inTemporaryDirectory(parent).put("tool", content))[Symbol.dispose]();
  assert.deepEqual(fs.readdirSync(parent).sort(), kept.sort());
});

test("a temporary directory that cannot be used says why, and nothing is left in it", async () => {
  const missing = join(scratch, "missing");
  await assert.rejects(
    async () => await inTemporaryDirectory(missing).put("tool", content),
    /ENOENT/,
  );
  const parent = newCache();
  fs.mkdirSync(parent, { mode: 0o755 });
  fs.chmodSync(parent, 0o777);
  await assert.rejects(
    async () => await inTemporaryDirectory(parent).put("tool", content),
    /others may write/,
  );
  assert.deepEqual(fs.readdirSync(parent), []);
});

function newCache(): string {
  return join(scratch, `cache-${caches++}`);
}

function fileIn(cache: string): string {
  return join(cache, `tools-${process.getuid!()}`, digest, "tool");
}

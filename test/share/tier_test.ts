/** Whose images count, whose do not, and what is removed when. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { collectGarbage, storedImages } from "../../lib/share/collect_garbage.ts";
import { findImage, markUsed, publishImage } from "../../lib/share/finished_images.ts";
import { probeShare } from "../../lib/share/probe_share.ts";
import { ShareTrouble } from "../../lib/share/share_trouble.ts";
import { tidyTierDaily } from "../../lib/share/tidy_tier.ts";
import { makePart, openShare, partOf, type Tier } from "../../lib/share/tier.ts";
import { nobody } from "../helpers/other_user.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("tier");
const NEEDS_ROOT = process.getuid!() === 0 ? false : "needs root, to own files as another user";
const DAY_MS = 24 * 3600_000;
const KEY = `sha256-${"a".repeat(64)}-0123456789ab`;
let count = 0;

test("a directory that does not exist is made, for this user alone", () => {
  const root = join(scratch, "new", "share");
  const { own, site } = openShare(root);
  assert.equal(site, undefined);
  assert.ok(own?.isWritable);
  assert.equal(fs.statSync(root).mode & 0o777, 0o700);
});

test("a directory that others may write to is no share", () => {
  for (const mode of [0o775, 0o757, 0o1777]) {
    const root = newDirectory(mode);
    assert.throws(() => openShare(root), ShareTrouble);
  }
});

test("another user's directory is the site's tier, with a place for each user", {
  skip: NEEDS_ROOT,
}, () => {
  const root = newDirectory(0o755);
  fs.mkdirSync(join(root, "users"));
  fs.chmodSync(join(root, "users"), 0o1777);
  fs.chownSync(root, nobody, nobody);
  const { own, site } = openShare(root);
  assert.deepEqual([site?.owner, site?.isWritable], [nobody, false]);
  assert.equal(own?.root, join(root, "users", "0"));
  fs.chmodSync(join(root, "users"), 0o777);
  assert.throws(() => openShare(root), /sticky bit/);
});

test("a directory that another user made in advance is not used", { skip: NEEDS_ROOT }, () => {
  const root = newDirectory(0o755);
  fs.chownSync(root, nobody - 1, nobody);
  fs.mkdirSync(join(root, "users", "0"), { recursive: true });
  fs.chmodSync(join(root, "users"), 0o1777);
  assert.ok(openShare(root).own);
  fs.chownSync(join(root, "users", "0"), nobody, nobody);
  assert.equal(openShare(root).own, undefined);
});

test("a finished image appears under its key, read-only, and the first one stays", () => {
  const tier = newTier();
  const [first, second] = [newImage(tier, 200), newImage(tier, 300)];
  const image = publishImage(tier, KEY, first);
  assert.deepEqual(publishImage(tier, KEY, second), image);
  assert.equal(image.bytes, 200);
  assert.equal(fs.statSync(image.path).mode & 0o777, 0o400);
  assert.deepEqual([fs.existsSync(first), fs.existsSync(second)], [false, false]);
  assert.equal(findImage(tier, KEY)?.path, image.path);
});

test("an image that lost its end is passed over, and not replaced", () => {
  const tier = newTier();
  const image = publishImage(tier, KEY, newImage(tier, 200));
  fs.truncateSync(image.path, 150);
  assert.equal(findImage(tier, KEY), undefined);
  const next = publishImage(tier, KEY, newImage(tier, 200));
  assert.notEqual(next.path, image.path);
  assert.equal(findImage(tier, KEY)?.path, next.path);
  assert.equal(fs.statSync(image.path).size, 150);
});

const untrusted: readonly [title: string, spoil: (file: string) => void, skip: false | string][] = [
  ["others may write to", (file) => fs.chmodSync(file, 0o666), false],
  ["another user owns", (file) => fs.chownSync(file, nobody, nobody), NEEDS_ROOT],
  ["is a symbolic link", (file) => {
    fs.renameSync(file, `${file}.real`);
    fs.symlinkSync(`${file}.real`, file);
  }, false],
];
for (const [title, spoil, skip] of untrusted) {
  test(`an image that ${title} does not count`, { skip }, () => {
    const tier = newTier();
    spoil(publishImage(tier, KEY, newImage(tier, 200)).path);
    assert.equal(findImage(tier, KEY), undefined);
  });
}

test("the least recently used images go first, and none that a job may use", () => {
  const tier = newTier();
  const [old, older, used] = ["b", "c", "d"].map((letter) => KEY.replaceAll("a", letter));
  for (const [key, days] of [[old!, 20], [older!, 40], [used!, 50]] as const) {
    const { path } = publishImage(tier, key, newImage(tier, 200));
    const time = new Date(Date.now() - days * DAY_MS);
    fs.utimesSync(path, time, time);
  }
  markUsed(tier, used!);
  assert.deepEqual(storedImages(tier).map(({ key }) => key), [older, old, used]);
  const limits = { longestJobMs: 7 * DAY_MS, maxBytes: 100 };
  const planned = collectGarbage(tier, { ...limits, dryRun: true });
  assert.deepEqual(planned.removed.map(({ key }) => key), [older, old]);
  assert.deepEqual(planned.inUse.map(({ key }) => key), [used]);
  assert.equal(storedImages(tier).length, 3);
  const { removed } = collectGarbage(tier, { ...limits, maxBytes: 400 });
  assert.deepEqual(removed.map(({ key }) => key), [older]);
  assert.equal(findImage(tier, older!), undefined);
  // It is still readable, and goes a day later.
  const [trashed] = fs.readdirSync(partOf(tier, "trash"));
  const file = partOf(tier, "trash", trashed!);
  const time = new Date(Date.now() - 2 * DAY_MS);
  fs.utimesSync(file, time, time);
  collectGarbage(tier, { longestJobMs: DAY_MS });
  assert.ok(!fs.existsSync(file));
});

test("what steps and imports left is removed a day after its last change", () => {
  const tier = newTier();
  for (const name of ["old", "new"]) {
    fs.writeFileSync(join(makePart(tier, "steps", name), "lease.1"), "");
  }
  const time = new Date(Date.now() - 2 * DAY_MS);
  for (const name of ["old/lease.1", "old"]) fs.utimesSync(partOf(tier, "steps", name), time, time);
  // A directory that looks old, in which somebody works.
  fs.utimesSync(partOf(tier, "steps", "new"), time, time);
  collectGarbage(tier, { longestJobMs: DAY_MS });
  assert.deepEqual(fs.readdirSync(partOf(tier, "steps")), ["new"]);
});

test("a step tidies a tier that nobody tidied for a day, and no other", async () => {
  const tier = newTier();
  const time = new Date(Date.now() - 2 * DAY_MS);
  const settings = await loadSettings({ ENROOT_SYSCONF_PATH: "/nonexistent" });
  const isKept = () => {
    const step = makePart(tier, "steps", "old");
    const file = join(makePart(tier, "steps", "new"), "ready");
    fs.writeFileSync(file, "");
    fs.utimesSync(step, time, time);
    tidyTierDaily(tier, settings, file);
    return fs.existsSync(step);
  };
  assert.ok(!isKept());
  assert.ok(isKept());
  fs.utimesSync(join(tier.root, ".tidied"), time, time);
  assert.ok(!isKept());
});

test("a probe of the file system leaves nothing behind", () => {
  const root = newDirectory(0o755);
  const { hasLinks, excludes, aheadMs } = probeShare(root);
  assert.ok(hasLinks && excludes && Math.abs(aheadMs) < 5000);
  assert.deepEqual(fs.readdirSync(root), []);
});

function newDirectory(mode: number): string {
  const root = join(scratch, String(++count));
  fs.mkdirSync(root);
  fs.chmodSync(root, mode);
  return root;
}

function newTier(): Tier {
  return openShare(newDirectory(0o700)).own!;
}

/** A file with a superblock that says that all of it is used. */
function newImage(tier: Tier, bytes: number): string {
  const file = join(makePart(tier, "work", KEY), `${++count}.sqsh`);
  const content = Buffer.alloc(bytes);
  content.write("hsqs");
  content.writeBigUInt64LE(BigInt(bytes), 40);
  fs.writeFileSync(file, content);
  return file;
}

/** Containers are made of image files: whole, or not at all. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import {
  createContainer,
  type CreateOptions,
  noExecWarning,
} from "../../lib/container/create_container.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { mksquashfs } from "../squashfs/packing.ts";

const scratch = scratchDirectory("create");
const dataPath = join(scratch, "data");
const image = packTree("image", (root) => {
  writeFileSync(join(root, "etc/hosts"), "127.0.0.1\n");
  symlinkSync("hosts", join(root, "etc/link"));
});

/** Packs a new tree with a directory `etc`, changed by `change`, into an image. */
function packTree(name: string, change: (root: string) => void): string {
  const root = join(scratch, `${name}-tree`);
  mkdirSync(join(root, "etc"), { recursive: true });
  change(root);
  const path = join(scratch, `${name}.sqsh`);
  execFileSync(mksquashfs, [root, path, "-quiet", "-no-progress", "-all-root"]);
  return path;
}

async function create(path: string, options: CreateOptions = {}) {
  const settings = await loadSettings({ ENROOT_DATA_PATH: dataPath, PATH: process.env.PATH });
  return await createContainer(path, { settings, ...options });
}

test("a container has the files and the name of its image, for its user alone", async () => {
  const created = await create(image);
  assert.deepEqual([created.name, created.path], ["image", join(dataPath, "image")]);
  assert.equal(readFileSync(join(created.path, "etc/link"), "utf8"), "127.0.0.1\n");
  assert.equal(lstatSync(dataPath).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(dataPath), ["image"]);
});

test("a container that exists stays, in enroot's words, unless it is to be replaced", async () => {
  await create(image, { name: "twice" });
  writeFileSync(join(dataPath, "twice/etc/mine"), "");
  await assert.rejects(create(image, { name: "twice" }), {
    code: "exists",
    message: `File already exists: ${join(dataPath, "twice")}`,
  });
  assert.equal(existsSync(join(dataPath, "twice/etc/mine")), true);
  await create(image, { name: "twice", force: true });
  assert.deepEqual(readdirSync(join(dataPath, "twice/etc")), ["hosts", "link"]);
});

test("an image that is damaged leaves the old container, and nothing of the new one", async () => {
  await create(image, { name: "kept" });
  const damaged = join(scratch, "damaged.sqsh");
  const bytes = readFileSync(image);
  // Behind the superblock and its sizes: the tables' blocks.
  bytes.fill(0xff, 96, 600);
  writeFileSync(damaged, bytes);
  const before = readdirSync(dataPath);
  await assert.rejects(create(damaged, { name: "kept", force: true }), { code: "squashfs" });
  assert.equal(existsSync(join(dataPath, "kept/etc/hosts")), true);
  assert.deepEqual(readdirSync(dataPath), before);
});

test("an image that is cut short is refused before any work", async () => {
  const cut = join(scratch, "cut.sqsh");
  writeFileSync(cut, readFileSync(image).subarray(0, 150));
  await assert.rejects(create(cut), { code: "squashfs", message: /is cut short/ });
});

test("an interrupted creation leaves nothing", async () => {
  const before = readdirSync(dataPath);
  const signal = AbortSignal.abort();
  await assert.rejects(create(image, { name: "stopped", signal }), { code: "aborted" });
  assert.deepEqual(readdirSync(dataPath), before);
});

test("what a killed command left is removed, whatever its permissions are", async () => {
  const leftover = join(dataPath, `.denroot-${deadMark()}.root`);
  mkdirSync(join(leftover, "shut"), { recursive: true });
  chmodSync(join(leftover, "shut"), 0);
  await create(image, { name: "next" });
  assert.equal(existsSync(leftover), false);
});

test("a link in the place of a container is replaced, and its target stays", async () => {
  const target = join(scratch, "target");
  mkdirSync(target);
  symlinkSync(target, join(dataPath, "linked"));
  await create(image, { name: "linked", force: true });
  assert.equal(lstatSync(join(dataPath, "linked")).isDirectory(), true);
  assert.equal(existsSync(target), true);
});

/** A tree whose owner could not use it. */
function unusable(root: string): void {
  for (const name of ["shut", "read-only"]) mkdirSync(join(root, name));
  writeFileSync(join(root, "secret"), "");
  chmodSync(join(root, "secret"), 0);
  writeFileSync(join(root, "program"), "");
  chmodSync(join(root, "program"), 0o011);
  chmodSync(join(root, "shut"), 0);
  chmodSync(join(root, "read-only"), 0o555);
}

function modes(root: string): Record<string, string> {
  return Object.fromEntries(
    ["secret", "program", "shut", "read-only"].map((
      name,
    ) => [name, (lstatSync(join(root, name)).mode & 0o7777).toString(8)]),
  );
}

test("another program's image becomes usable, as enroot's chmod makes it", async () => {
  const { path } = await create(packTree("unusable", unusable));
  const usable = { secret: "400", program: "511", shut: "700", "read-only": "755" };
  assert.deepEqual(modes(path), usable);
});

test("an image that says where it came from keeps its permissions", async () => {
  const imported = packTree("imported", (root) => {
    unusable(root);
    mkdirSync(join(root, ".enroot"));
    writeFileSync(join(root, ".enroot/source"), "uri=docker://registry-1.docker.io#library/a:b\n");
  });
  const kept = { secret: "0", program: "11", shut: "0", "read-only": "555" };
  assert.deepEqual(modes((await create(imported)).path), kept);
});

for (
  const [what, make] of [
    ["a link", (path: string) => symlinkSync("/proc/self/environ", path)],
    ["a pipe", (path: string) => execFileSync("mkfifo", [path])],
  ] as const
) {
  test(`${what} in the place of the source's file is neither followed nor waited for`, async () => {
    const path = packTree(`odd-${what.slice(2)}`, (root) => {
      mkdirSync(join(root, ".enroot"));
      make(join(root, ".enroot/source"));
    });
    await create(path);
  });
}

test("a file system without programs draws a warning", () => {
  const mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:2 / /data rw,noexec - tmpfs none rw";
  assert.match(
    noExecWarning("/data/enroot", mounts) ?? "",
    /^\/data is mounted noexec: no program/,
  );
  assert.equal(noExecWarning("/database", mounts), undefined);
});

test("a path for containers that leads through a file is no mistake of denroot's", async () => {
  const settings = await loadSettings({ ENROOT_DATA_PATH: image, PATH: process.env.PATH });
  await assert.rejects(createContainer(image, { settings }), {
    code: "file",
    hint: /ENROOT_DATA_PATH/,
  });
});

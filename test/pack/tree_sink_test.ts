/** Layers become a directory: the one that unsquashfs makes of the image of these layers. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { planReading } from "../../lib/image/read_plan.ts";
import type { PackJob, PackOutput } from "../../lib/pack/pack_job.ts";
import { packLayers } from "../../lib/pack/pack_layers.ts";
import { treeSink } from "../../lib/pack/tree_sink.ts";
import type { ImageConfig } from "../../lib/types/image.ts";
import type { EntryHeader } from "../../lib/tar/tar_writer.ts";
import { digestOf } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  directory,
  file,
  link,
  node,
  opaque,
  symlink,
  tarArchive,
  type TarSpec,
  whiteout,
} from "../helpers/tar_fixture.ts";
import { compareTrees, listDirectory } from "../helpers/tree_listing.ts";
import { mksquashfs, packOptions, unsquashfs } from "../squashfs/packing.ts";

const scratch = scratchDirectory("tree-sink");
/** Later than all files: an old mksquashfs lowers their times to it. */
const DEFAULT_TIME = 4_100_000_000;
const isRoot = process.getuid!() === 0;
let count = 0;

interface Made {
  readonly messages: readonly string[];
  readonly path: string;
}

async function pack(
  layers: readonly (readonly TarSpec[])[],
  output: PackOutput,
): Promise<readonly string[]> {
  const stored = layers.map((layer) => {
    const tar = tarArchive(layer);
    const bytes = gzipSync(tar, { level: 1 });
    const digest = digestOf(bytes);
    const path = join(scratch, digest);
    writeFileSync(path, bytes);
    const descriptor = { mediaType: "tar+gzip", digest, size: bytes.length };
    const place = { type: "file", path, offset: 0, checkedBy: "digest" } as const;
    const readable = { descriptor, place, origin: "local", othersMayWrite: false } as const;
    return { readable, diffId: digestOf(tar) };
  });
  const messages: string[] = [];
  const config = { diffIds: stored.map(({ diffId }) => diffId), workingDir: "/" };
  const job: PackJob = {
    output,
    processors: 2,
    aheadBytes: 1,
    plan: planReading(
      config as unknown as ImageConfig,
      stored.map(({ readable }) => readable.descriptor),
    ),
    ownFiles: [{ path: "etc/rc", mode: 0o644, content: Buffer.from("own\n") }],
    nameOf: () => "Layer",
    fetcher: {
      readable: (one) =>
        Promise.resolve(stored.find(({ readable }) => readable.descriptor === one)!.readable),
      verified: () => Promise.resolve(),
      finished: () => Promise.resolve(),
      failure: new Promise(() => {}),
    },
    allTime: undefined,
    defaultTime: DEFAULT_TIME,
    maxBytes: Infinity,
    signal: new AbortController().signal,
    onProgress: (event) => event.type === "log" && messages.push(event.message),
  };
  await packLayers(job);
  return messages;
}

async function makeTree(layers: readonly (readonly TarSpec[])[]): Promise<Made> {
  const path = join(scratch, `tree-${++count}`);
  return { path, messages: await pack(layers, { type: "tree", path }) };
}

async function unpackedImage(layers: readonly (readonly TarSpec[])[]): Promise<string> {
  const target = join(scratch, `image-${++count}.sqsh`);
  const squash = packOptions(mksquashfs, { time: DEFAULT_TIME });
  await pack(layers, { type: "image", target, squash, verifyWith: undefined });
  const root = join(scratch, `root-${count}`);
  const args = ["-no-progress", "-quiet", "-user-xattrs", "-dest", root, target];
  execFileSync(unsquashfs, args, { stdio: "ignore" });
  return root;
}

const zeros = Buffer.alloc(300_000);
const hole = Buffer.concat([Buffer.from("begin"), zeros, Buffer.from("end"), zeros]);
const long = "n".repeat(200);

const CASES: readonly (readonly [title: string, layers: readonly (readonly TarSpec[])[]])[] = [
  ["files of every size and kind", [[
    directory("etc"),
    file("etc/empty"),
    file("etc/small", "small"),
    file("etc/large", Buffer.alloc(3_000_001, "x")),
    symlink("etc/link", "../etc/small", { mtime: 1_400_000_000 }),
    node("pipe", "6"),
    file(`${long}/${long}/${long}`, "deep"),
  ]]],
  ["permissions and times", [[
    directory("shut", { mode: 0, mtime: 1_300_000_000 }),
    file("shut/secret", "x", { mode: 0o007, mtime: 0 }),
    directory("sticky", { mode: 0o1777, mtime: 1_300_000_001 }),
    file("program", "x", { mode: 0o751, mtime: 4_000_000_000 }),
    directory("sticky/below", { mode: 0o555 }),
  ]]],
  ["hard links, also to links and from other directories", [[
    directory("a"),
    file("a/one", "content"),
    link("a/two", "a/one"),
    link("three", "a/one"),
    symlink("a/sym", "one"),
    link("a/sym2", "a/sym"),
  ]]],
  ["holes", [[
    file("whole", Buffer.alloc(262_144)),
    file("sparse", hole),
    file("zeros", zeros),
    file("tail", Buffer.alloc(65_537)),
  ]]],
  ["attributes of users", [[
    file("x", "1", { xattrs: { "user.one": "1", "user.empty": "", "security.selinux": "no" } }),
    directory("d", { xattrs: { "user.d": "2" } }),
  ]]],
  ["layers that hide, remove and replace", [
    [directory("d"), file("d/old", "1"), file("gone", "2"), directory("x"), file("x/y", "3")],
    [whiteout("gone"), opaque("d"), file("d/new", "4"), whiteout("x"), file("x2/implied", "5")],
  ]],
  ["a root with permissions of its own", [[directory("./", { mode: 0o750 }), file("f", "x")]]],
  ["what only a plan can merge", [
    [directory("real"), symlink("way", "real")],
    [file("way/file", "through a link"), file("twice", "1"), file("twice", "2")],
  ]],
];

for (const [title, layers] of CASES) {
  test(`a tree equals the unpacked image: ${title}`, async () => {
    const [{ path }, expected] = [await makeTree(layers), await unpackedImage(layers)];
    const [actual, wanted] = [await listDirectory(path), await listDirectory(expected)];
    assert.ok(wanted.size > 2);
    // An old mksquashfs gives the root the time of its work.
    const differences = compareTrees(actual, wanted, { directoryTimes: true });
    assert.deepEqual(differences.filter((line) => !line.startsWith('"": mtime')), []);
    assert.equal(actual.get("")!.mtime, DEFAULT_TIME);
    assert.equal(statSync(path).mode & 0o7777, statSync(expected).mode & 0o7777);
  });
}

test("names are bytes, UTF-8 or not", async () => {
  const { path } = await makeTree([[file(Buffer.from("d/\xe4\n\xff", "latin1"))]]);
  const found = execFileSync("find", [path, "-name", "*", "-path", "*/d/*", "-printf", "%P"]);
  assert.equal(found.toString("latin1"), "d/\xe4\n\xff");
});

test("zeros take no room on the disk", async () => {
  const { path } = await makeTree([[file("sparse", hole), file("zeros", zeros)]]);
  assert.deepEqual(readFileSync(join(path, "sparse")), hole);
  assert.ok(lstatSync(join(path, "sparse")).blocks * 512 < 300_000);
});

test("no program keeps set-user-id", async () => {
  const { path } = await makeTree([[
    file("su", "x", { mode: 0o6755 }),
    directory("d", { mode: 0o2755 }),
  ]]);
  assert.equal(lstatSync(join(path, "su")).mode & 0o7777, 0o755);
  assert.equal(lstatSync(join(path, "d")).mode & 0o7777, 0o755);
});

test("devices are made for root, and left out for others", async () => {
  const { path, messages } = await makeTree([[
    node("null", "3", [1, 3]),
    node("disk", "4", [8, 300]),
  ]]);
  if (isRoot) {
    const device = execFileSync("stat", ["-c", "%t:%T", join(path, "null"), join(path, "disk")]);
    assert.equal(device.toString(), "1:3\n8:12c\n");
  } else {
    assert.equal(existsSync(join(path, "null")), false);
    assert.match(messages.join(), /2 devices are left out: only root can make devices/);
  }
});

test("no entry gets out of the root through a link that is in its way", async () => {
  const outside = join(scratch, "outside");
  mkdirSync(outside);
  const path = join(scratch, "attacked");
  const sink = await treeSink({ type: "tree", path, time: 0 }, () => {});
  // The merge emits nothing of this kind; the sink must not rely on that.
  symlinkSync(outside, join(path, "way"));
  const entry: EntryHeader = {
    type: "file",
    path: "way/file",
    linkPath: "",
    mode: 0o644,
    mtime: 0,
    size: 0,
    deviceMajor: 0,
    deviceMinor: 0,
  };
  assert.throws(() => sink.entry(entry), { code: "file", message: /\/way\/?\S* cannot be made/ });
  assert.throws(() => sink.entry({ ...entry, path: "way" }), { code: "file", message: /EEXIST/ });
  assert.equal(existsSync(join(outside, "file")), false);
});

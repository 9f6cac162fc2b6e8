/** The written stream: the parser, GNU tar and a real mksquashfs read what was written. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import type { EntryType } from "../../lib/tar/entry.ts";
import { type EntryHeader, TarWriter } from "../../lib/tar/tar_writer.ts";
import { findProgram, runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { listImage } from "../helpers/tree_listing.ts";
import { readTar } from "./read_tar.ts";

interface Written extends Omit<EntryHeader, "size"> {
  readonly content: Uint8Array;
}

const scratch = scratchDirectory("writer");

test("what the writer writes, the parser reads", () => {
  fc.assert(fc.property(fc.array(written, { maxLength: 12 }), (entries) => {
    const read = readTar(write(entries)).map(comparable);
    assert.deepEqual(read, entries.map(comparable));
  }));
});

for (const size of [0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 524_288, 600_000]) {
  test(`a file of ${size} bytes is padded to whole blocks, in pieces of any size`, () => {
    const content = Buffer.alloc(size, "0123456789");
    const archive = write([make({ path: "f", content }), make({ path: "next" })], 100_001);
    assert.equal(archive.length, 512 + Math.ceil(size / 512) * 512 + 512 + 1024);
    const [first, next] = readTar(archive);
    assert.deepEqual(first!.content, content);
    assert.equal(next!.path, "next");
  });
}

test("an empty archive is two blocks of zeros", () => {
  assert.deepEqual(write([]), Buffer.alloc(1024));
});

test("a size beyond 8 GiB is written in base-256", () => {
  const pieces: Buffer[] = [];
  const writer = new TarWriter((bytes) => void pieces.push(Buffer.from(bytes)));
  writer.entry({ ...make({ path: "big" }), size: 9 * 2 ** 30 });
  writer.content(Buffer.alloc(600_000));
  const [header] = pieces;
  assert.equal(header!.readBigUInt64BE(128), 9n * 2n ** 30n);
  assert.equal(header![124], 0x80);
});

test("a time that no image can have becomes the nearest possible time", () => {
  const mtimes = [-5, 0, 2 ** 32 - 1, 2 ** 40].map((mtime) => make({ path: "f", mtime }));
  assert.deepEqual(readTar(write(mtimes)).map(({ mtime }) => mtime), [
    0,
    0,
    2 ** 32 - 1,
    2 ** 32 - 1,
  ]);
});

const attributes: readonly [name: string, isKept: boolean][] = [
  ["security.capability", true],
  ["security.capability.x", false],
  ["security.selinux", false],
  ["security.SMACK64", false],
  ["security.apparmor", false],
  ["security.ima", false],
  ["security.evm", false],
  ["trusted.note", true],
  ["trusted.overlay.opaque", false],
  ["trusted.overlay.overlay.opaque", false],
  ["user.note", true],
  ["user.overlayed", true],
  ["user.overlay.redirect", false],
  ["user.fuseoverlayfs.opaque", false],
  ["user.containers.override_stat", false],
  ["system.posix_acl_access", false],
  ["system.posix_acl_default", false],
  ["system.nfs4_acl", false],
  ["btrfs.compression", false],
];
test("only attributes that belong to the image are written", () => {
  const xattrs = new Map(attributes.map(([name]) => [name, Buffer.from("1")]));
  const [entry] = readTar(write([make({ path: "f", xattrs })]));
  const kept = attributes.filter(([, isKept]) => isKept).map(([name]) => name);
  assert.deepEqual([...entry!.xattrs!.keys()], kept);
});

test("a file with none but the build host's attributes gets no PAX header", () => {
  const xattrs = new Map([["security.selinux", Buffer.from("unlabeled_t")]]);
  assert.equal(write([make({ path: "f", xattrs })]).length, write([make({ path: "f" })]).length);
});

test("content beyond the announced size is a TypeError", () => {
  const writer = new TarWriter(() => {});
  writer.entry({ ...make({ path: "f" }), size: 3 });
  assert.throws(() => writer.content(Buffer.alloc(4)), TypeError);
  assert.throws(() => writer.entry({ ...make({ path: "g" }), size: 0 }), TypeError);
});

/** Names with special characters, and names of all lengths around the end of the header's field. */
const oddNames = [
  "plain",
  "with blank",
  "quotes'\"`",
  "back\\slash",
  "new\nline",
  "tab\tbell\x07",
  "-dash",
  "#hash",
  "*",
  "~",
  "$(touch x)",
  ...[98, 99, 100, 101, 102, 154, 155, 156, 254, 255].map((length) => "n".repeat(length)),
];
const tree: readonly Written[] = [
  make({ type: "directory", path: "d", mode: 0o755 }),
  ...oddNames.map((name, at) => make({ path: `d/${name}`, content: Buffer.from(`content ${at}`) })),
  ...[97, 98, 99, 100, 101].flatMap((length) => {
    const path = `d-${"x".repeat(length - 2)}`;
    return [
      make({ type: "directory", path, mode: 0o711 }),
      make({ type: "symlink", path: `${path}/symlink`, linkPath: path }),
      make({ path: `${path}/file`, content: Buffer.from(path) }),
      make({ type: "hardlink", path: `${path}/link`, linkPath: `${path}/file` }),
    ];
  }),
  make({ type: "hardlink", path: "d/link", linkPath: "d/new\nline" }),
  make({ type: "symlink", path: "d/symlink", linkPath: "/no UTF-8 \xff\n'x'" }),
  make({ type: "character", path: "d/null", deviceMajor: 1, deviceMinor: 3, mode: 0o666 }),
  make({ type: "block", path: "d/disk", deviceMajor: 259, deviceMinor: 70_000, mode: 0o660 }),
  make({ type: "fifo", path: "d/no UTF-8 \xff\xfe", mode: 0o600 }),
  make({ type: "fifo", path: "d/fifo", mode: 0o600 }),
  make({ path: "d/setuid", mode: 0o6755 }),
  make({ path: "d/sticky", mode: 0o1644, mtime: 1 }),
  make({ path: "d/attributes", xattrs: new Map([["user.a", Buffer.from("\0\n=")]]) }),
  make({
    path: `d/capable-${"x".repeat(100)}`,
    xattrs: new Map([["security.capability", Buffer.from(`01000002${"00".repeat(16)}`, "hex")]]),
  }),
  make({ path: "d/large", content: Buffer.alloc(700_000, "large ") }),
];

test("GNU tar lists the stream without a complaint", async () => {
  const { stdout, stderr } = await runProgram("tar", [
    "-tvf",
    "-",
    "--numeric-owner",
    "--quoting-style=escape",
  ], {
    input: write(tree),
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });
  assert.equal(stderr, "");
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, tree.length);
  assert.match(lines[0]!, /^drwxr-xr-x 0\/0 +0 2020-09-13 12:26 d\/$/);
  assert.ok(lines.some((line) => /^brw-rw---- 0\/0 +259,70000 .* d\/disk$/.test(line)));
  assert.ok(lines.some((line) => /^-rwsr-sr-x .* d\/setuid$/.test(line)));
  assert.ok(lines.some((line) => /^hrw-r--r-- .* d\/link link to d\/new\\nline$/.test(line)));
});

test("a real mksquashfs makes the files that the stream describes", async (context) => {
  if (findProgram("mksquashfs") === undefined || process.getuid?.() !== 0) {
    return context.skip("needs root and mksquashfs");
  }
  const image = join(scratch, "image.sqsh");
  const args = ["-", image, "-tar", "-no-duplicates", "-no-progress", "-quiet", "-comp", "gzip"];
  const { stderr } = await runProgram("mksquashfs", [...args, "-Xcompression-level", "1"], {
    input: write(tree),
  });
  assert.equal(stderr, "");
  const listing = await listImage(image);
  rmSync(image);
  for (const entry of tree) {
    const seen = listing.get(entry.path);
    assert.ok(seen !== undefined, `${entry.path} is missing`);
    if (entry.type === "hardlink") {
      assert.equal(seen.sha256, listing.get(entry.linkPath)!.sha256, entry.path);
      assert.equal(seen.group, listing.get(entry.linkPath)!.group, entry.path);
      assert.ok(seen.group !== undefined, entry.path);
    } else {
      assert.deepEqual(seen, { ...seen, ...expectedInImage(entry) });
    }
  }
});

/** All bytes except zero and the slash. */
const nameByte = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f);
const name = fc.array(nameByte, { minLength: 1, maxLength: 12 })
  .map((bytes) => String.fromCharCode(...bytes));
const path = fc.oneof(
  fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
  fc.integer({ min: 90, max: 300 }).map((length) => `${"d".repeat(80)}/${"p".repeat(length - 81)}`),
);
const written: fc.Arbitrary<Written> = fc.record({
  type: fc.constantFrom<EntryType>("file", "directory", "symlink", "hardlink", "fifo", "block"),
  path,
  target: path,
  mode: fc.nat(0o7777),
  mtime: fc.nat(2 ** 32 - 1),
  content: fc.uint8Array({ maxLength: 1500 }),
  device: fc.tuple(fc.nat(4095), fc.nat(2 ** 20 - 1)),
  xattrs: fc.dictionary(fc.constantFrom("user.a", "trusted.b"), fc.uint8Array({ maxLength: 30 })),
}).map(({ type, path, target, mode, mtime, content, device, xattrs }) => ({
  type,
  path,
  linkPath: type === "symlink" || type === "hardlink" ? target : "",
  mode,
  mtime,
  content: type === "file" ? content : new Uint8Array(),
  deviceMajor: type === "block" ? device[0] : 0,
  deviceMinor: type === "block" ? device[1] : 0,
  xattrs: Object.keys(xattrs).length > 0 ? new Map(Object.entries(xattrs)) : undefined,
}));

function make(entry: Partial<Written> & { readonly path: string }): Written & { size: number } {
  const content = entry.content ?? new Uint8Array();
  return {
    type: "file",
    linkPath: "",
    mode: 0o644,
    mtime: 1_600_000_000,
    deviceMajor: 0,
    deviceMinor: 0,
    ...entry,
    content,
    size: content.length,
  };
}

/** Gives the archive; the writer gets the contents in pieces. */
function write(entries: readonly Written[], piece = 700): Buffer {
  const parts: Buffer[] = [];
  const writer = new TarWriter((bytes) => void parts.push(Buffer.from(bytes)));
  for (const entry of entries) {
    const { content } = entry;
    writer.entry({ ...entry, size: content.length });
    for (let at = 0; at < content.length; at += piece) {
      writer.content(content.subarray(at, at + piece));
    }
  }
  writer.end();
  return Buffer.concat(parts);
}

function expectedInImage({ type, mode, mtime, content, linkPath, xattrs, ...entry }: Written) {
  const isDevice = type === "character" || type === "block";
  const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");
  return {
    type: type === "character" ? "char" : type,
    mtime,
    ...(type === "symlink" ? { linkPath } : { mode }),
    ...(isDevice ? { device: `${entry.deviceMajor}:${entry.deviceMinor}` } : {}),
    ...(type === "file" ? { sha256: createHash("sha256").update(content).digest("hex") } : {}),
    ...(xattrs === undefined ? {} : {
      xattrs: Object.fromEntries([...xattrs].map(([name, value]) => [name, hex(value)])),
    }),
  };
}

/** Gives what must come out as it went in; a slash is added to a directory's path. */
function comparable(entry: Written) {
  const { type, linkPath, mode, mtime, content, deviceMajor, deviceMinor } = entry;
  const path = type === "directory" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  const xattrs = [...entry.xattrs ?? []].map(([name, value]) => [name, Buffer.from(value)]);
  return {
    type,
    path,
    linkPath,
    mode,
    mtime,
    content: Buffer.from(content),
    deviceMajor,
    deviceMinor,
    xattrs,
  };
}

/** Our changes to mksquashfs make it fast, and change no byte of an image. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type EntryHeader, TarWriter } from "../../lib/tar/tar_writer.ts";
import { type Architecture, project, squashfsTool } from "../helpers/release.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const unchanged = join(project, "build/squashfs-work/unchanged-programs/mksquashfs");
const skip = existsSync(unchanged) ? false : "scripts/build_squashfs has not been run here";
const scratch = scratchDirectory("mksquashfs");

type Entry = Pick<EntryHeader, "path"> & Partial<EntryHeader> & {
  readonly text?: string;
  readonly content?: Uint8Array;
};

const ONE = Buffer.from([1]);
const GZIP = ["-comp", "gzip", "-Xcompression-level", "1", "-no-duplicates"];

const trees: readonly [title: string, () => Generator<Entry>][] = [
  ["a wide directory in the order of names", () => wide("w", 5000, (at) => String(at).padStart(9))],
  ["wide directories in no order, children first", mixed],
  ["directories about as wide as the limit of the index", aroundTheLimit],
  ["a deep tree that is wide at its end", deep],
];
for (const [title, entries] of trees) {
  test(`the changed mksquashfs gives the same bytes for ${title}`, { skip }, () => {
    const tar = writeTar("tree.tar", entries());
    const [before, after] = bothImages(tar).map(({ image }) => readFileSync(image));
    assert.ok(before!.length > 10_000);
    assert.ok(before!.equals(after!), "The images differ");
  });
}

for (const algorithm of ["lzo1x_1", "lzo1x_1_11", "lzo1x_1_12", "lzo1x_1_15", "lzo1x_999"]) {
  for (const duplicates of ["-no-duplicates", "-duplicate-checking"]) {
    const title = `the changed mksquashfs gives the same bytes with ${algorithm} ${duplicates}`;
    test(title, { skip }, () => {
      const tar = writeTar("files.tar", allSorts());
      const options = ["-comp", "lzo", "-Xalgorithm", algorithm];
      if (duplicates === "-no-duplicates") options.push(duplicates);
      const [before, after] = bothImages(tar, options).map(({ image }) => readFileSync(image));
      assert.ok(before!.length > 1_000_000);
      assert.ok(before!.equals(after!), "The images differ");
    });
  }
}

test("the changed mksquashfs is not slow with a wide directory", { skip }, () => {
  const tar = writeTar("wide.tar", wide("w", 40_000, shuffled));
  const [before, after] = bothImages(tar).map(({ seconds }) => seconds);
  assert.ok(after! < before! / 2, `${after} seconds, ${before} without the change`);
});

function* wide(directory: string, width: number, name: (at: number) => string) {
  yield { path: directory, type: "directory" as const };
  for (let at = 0; at < width; at++) yield { path: `${directory}/${name(at)}`, text: `${at}` };
}

/** Files of all sizes and kinds: empty, of zeros in part or whole, twice there, hard to compress. */
function* allSorts(): Generator<Entry> {
  const program = readFileSync(unchanged);
  const block = 128 * 1024;
  for (const [at, size] of [0, 1, 2, 3, 20, 21, 100, 5000, block, block + 1, 300_000].entries()) {
    yield { path: `zeros-${size}`, content: Buffer.alloc(size) };
    yield { path: `zeros-and-one-${size}`, content: Buffer.concat([Buffer.alloc(size), ONE]) };
    yield { path: `one-and-zeros-${size}`, content: Buffer.concat([ONE, Buffer.alloc(size)]) };
    yield { path: `random-${size}`, content: noise(size) };
    yield { path: `program-${size}`, content: program.subarray(at * block, at * block + size) };
    yield { path: `again-${size}`, content: program.subarray(at * block, at * block + size) };
    // Short repetitions, some of two and three bytes only.
    yield { path: `short-${size}`, content: noise(size).map((byte) => byte & 3) };
    yield {
      path: `mixed-${size}`,
      content: noise(size).map((byte) => byte < 180 ? byte & 7 : byte),
    };
  }
  yield { path: "program", content: program };
}

/** Bytes that are the same each time, and that a program does not compress. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0, state = size + 1; at < size; at++) {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** Names that come in no order. */
function shuffled(at: number): string {
  return `${((at * 7919) % 100_003).toString(36)}-${at}`;
}

function* mixed(): Generator<Entry> {
  for (const directory of ["a/wide", "wide"]) {
    for (let at = 0; at < 4000; at++) {
      const path = `${directory}/${shuffled(at)}`;
      if (at % 10 === 0) yield { path: `${path}/x/y`, text: path.repeat(at % 70) };
      if (at % 10 <= 1) yield { path, type: "directory" };
      else if (at % 10 === 2) yield { path, type: "symlink", linkPath: "../elsewhere" };
      else if (at % 10 === 3) yield { path, type: "fifo" };
      else if (at % 10 === 4 && at > 10) {
        yield { path, type: "hardlink", linkPath: `${directory}/${shuffled(at - 5)}` };
      } else yield { path, text: path };
    }
  }
}

function* aroundTheLimit(): Generator<Entry> {
  for (let width = 60; width < 70; width++) yield* wide(`${width}`, width, shuffled);
  for (let at = 0; at < 200; at++) yield* wide(`narrow-${at}`, 20, shuffled);
}

function* deep(): Generator<Entry> {
  let path = "deep";
  for (let depth = 0; depth < 1000; depth++) {
    yield { path, type: "directory" };
    yield { path: `${path}/f`, text: `${depth}` };
    path += "/d";
  }
  yield* wide(path, 2000, shuffled);
}

function writeTar(name: string, entries: Iterable<Entry>): string {
  const path = join(scratch, name);
  const file = openSync(path, "w");
  const writer = new TarWriter((bytes) => void writeSync(file, bytes));
  for (const { text = "", content = Buffer.from(text), ...entry } of entries) {
    const numbers = { mode: 0o755, mtime: 1_600_000_000, deviceMajor: 0, deviceMinor: 0 };
    writer.entry({ type: "file", linkPath: "", ...numbers, ...entry, size: content.length });
    if (content.length > 0) writer.content(content);
  }
  writer.end();
  closeSync(file);
  return path;
}

/** Packs the tar with the unchanged mksquashfs and with ours; gives the seconds of each, too. */
function bothImages(
  tar: string,
  options: readonly string[] = GZIP,
): { readonly image: string; readonly seconds: number }[] {
  const programs = [unchanged, squashfsTool(arch() as Architecture, "mksquashfs")];
  return programs.map((program, at) => {
    const image = join(scratch, `${at}.sqsh`);
    const input = readFileSync(tar);
    const start = performance.now();
    execFileSync(program, [
      ...["-", image, "-tar", "-noappend", "-quiet", "-no-progress"],
      // Parents that the tar lacks get this time.
      ...["-all-time", "0", "-mkfs-time", "0", "-all-root"],
      ...options,
    ], { input, stdio: ["pipe", "inherit", "inherit"] });
    return { image, seconds: (performance.now() - start) / 1000 };
  });
}

/** Our change to mksquashfs makes wide directories fast, and changes no byte of an image. */

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
const scratch = scratchDirectory("wide");

type Entry = Pick<EntryHeader, "path"> & Partial<EntryHeader> & { readonly text?: string };

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

test("the changed mksquashfs is not slow with a wide directory", { skip }, () => {
  const tar = writeTar("wide.tar", wide("w", 40_000, shuffled));
  const [before, after] = bothImages(tar).map(({ seconds }) => seconds);
  assert.ok(after! < before! / 2, `${after} seconds, ${before} without the change`);
});

function* wide(directory: string, width: number, name: (at: number) => string) {
  yield { path: directory, type: "directory" as const };
  for (let at = 0; at < width; at++) yield { path: `${directory}/${name(at)}`, text: `${at}` };
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
  for (const { text = "", ...entry } of entries) {
    const content = Buffer.from(text);
    const numbers = { mode: 0o755, mtime: 1_600_000_000, deviceMajor: 0, deviceMinor: 0 };
    writer.entry({ type: "file", linkPath: "", ...numbers, ...entry, size: content.length });
    if (content.length > 0) writer.content(content);
  }
  writer.end();
  closeSync(file);
  return path;
}

/** Packs the tar with the unchanged mksquashfs and with ours; gives the seconds of each, too. */
function bothImages(tar: string): { readonly image: string; readonly seconds: number }[] {
  const programs = [unchanged, squashfsTool(arch() as Architecture, "mksquashfs")];
  return programs.map((program, at) => {
    const image = join(scratch, `${at}.sqsh`);
    const input = readFileSync(tar);
    const start = performance.now();
    execFileSync(program, [
      ...["-", image, "-tar", "-noappend", "-quiet", "-no-progress", "-no-duplicates"],
      // Parents that the tar lacks get this time.
      ...["-all-time", "0", "-mkfs-time", "0", "-all-root", "-comp", "gzip"],
      ...["-Xcompression-level", "1"],
    ], { input, stdio: ["pipe", "inherit", "inherit"] });
    return { image, seconds: (performance.now() - start) / 1000 };
  });
}

/** The tar stream as a whole: its end, cut streams, chunks, and what GNU tar writes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { TarError } from "../../lib/tar/entry.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  type ArchiveOptions,
  directory,
  file,
  globalHeader,
  link,
  node,
  symlink,
  tarArchive,
  tarMember,
  type TarSpec,
} from "../helpers/tar_fixture.ts";
import { readTar } from "./read_tar.ts";

const scratch = scratchDirectory("tar");

/** One entry of each kind. */
const zoo: readonly (TarSpec | Uint8Array)[] = [
  globalHeader([["comment", "a commit"]]),
  directory("d/"),
  file("d/empty"),
  file("d/whole-block", "x".repeat(512)),
  file("d/content", "content"),
  file(`d/${"n".repeat(120)}`, "pax"),
  file(`d/${"g".repeat(120)}`, "gnu", { longNames: "gnu" }),
  link("d/link", "d/content"),
  link("l".repeat(150), "d/content", { longNames: "gnu" }),
  symlink("d/symlink", "t".repeat(150), { longNames: "gnu" }),
  node("d/device", "3", [1, 3]),
  node("d/fifo", "6"),
  file("d/attributes", "a", { xattrs: { "user.a": "\0\n=" } }),
  { path: "sparse-gnu", sparse: { format: "gnu", size: 9000, chunks: sparseChunks(9) } },
  { path: "sparse-0", sparse: { format: "0.1", size: 9000, chunks: sparseChunks(3) } },
  { path: "sparse-1", sparse: { format: "1.0", size: 9000, chunks: sparseChunks(90) } },
  file("d/last", "the last one"),
];

const ends: readonly [end: NonNullable<ArchiveOptions["end"]>, title: string][] = [
  ["two-blocks", "two zero blocks"],
  ["one-block", "one zero block"],
  ["nothing", "nothing"],
  ["ten-kilobytes", "a whole record of zeros"],
];
for (const [end, title] of ends) {
  test(`an archive may end with ${title}`, () => {
    assert.equal(readTar(tarArchive([file("a", "x"), file("b", "y")], { end })).length, 2);
    assert.equal(readTar(tarArchive([], { end })).length, 0);
  });
}

test("all that follows the end of the archive is ignored", () => {
  const archive = tarArchive([file("a")]);
  const entries = readTar(archive, Buffer.from("junk"), tarArchive([file("b")]));
  assert.deepEqual(entries.map(({ path }) => path), ["a"]);
});

test("a zero block between entries is refused", () => {
  const archive = Buffer.concat([tarMember(file("a")), Buffer.alloc(512), tarArchive([file("b")])]);
  assert.throws(() => readTar(archive), { name: "TarError", message: /zero block/ });
});

test("a cut anywhere is an error, except between entries and within a file's padding", () => {
  const before = tarMember(file("before", "b"));
  for (const one of zoo) {
    if (one instanceof Uint8Array) continue;
    const whole = Buffer.concat([before, tarMember(one)]);
    const complete = whole.length - paddingOf(one);
    for (let length = before.length; length <= whole.length; length++) {
      // All positions around the ends of blocks are tried, and some within them.
      if ((length + 3) % 512 > 6 && length !== complete && length % 41 !== 0) continue;
      const read = () => readTar(whole.subarray(0, length));
      const message = `${one.path} at ${length} of ${whole.length}`;
      if (length === before.length || length >= complete) assert.doesNotThrow(read, message);
      else assert.throws(read, TarError, message);
    }
  }
});

test("an archive that ends between metadata and its entry is cut short", () => {
  const metadata: readonly TarSpec[] = [
    file("f", "", { pax: [["uid", "5"]] }),
    file("f", "", { xattrs: { "user.a": "b" } }),
    file("n".repeat(101)),
    file("n".repeat(101), "", { longNames: "gnu" }),
    symlink("f", "n".repeat(101), { longNames: "gnu" }),
  ];
  for (const spec of metadata) {
    const announced = tarMember(spec).subarray(0, 1024);
    assert.throws(() => readTar(announced), { name: "TarError", message: /cut short/ });
  }
});

test("the parser finds the same entries in chunks of any size", () => {
  const archive = tarArchive(zoo);
  const expected = readTar(archive);
  assert.equal(expected.length, zoo.length - 1);
  const cuts = fc.array(fc.nat(archive.length), { maxLength: 40 });
  fc.assert(fc.property(cuts, (cuts) => {
    assert.deepEqual(readTar(...chunksOf(archive, cuts)), expected);
  }));
  for (const step of [1, 511, 512, 513]) {
    const cuts = Array.from({ length: Math.ceil(archive.length / step) }, (_, at) => at * step);
    assert.deepEqual(readTar(...chunksOf(archive, cuts)), expected, `chunks of ${step}`);
  }
});

test("content is handed on as views of the chunk, without a copy", () => {
  const archive = tarArchive([file("f", "x".repeat(10_000))]);
  const pieces: Uint8Array[] = [];
  const parser = new TarParser({ entry: () => true, content: (bytes) => void pieces.push(bytes) });
  parser.push(archive);
  assert.equal(pieces.length, 1);
  assert.equal(pieces[0]!.buffer, archive.buffer);
});

test("the parser reads or refuses any bytes", () => {
  const archive = tarArchive(zoo);
  const changes = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1 });
  fc.assert(fc.property(changes, (changes) => {
    const spoilt = Buffer.from(archive);
    for (const [at, byte] of changes) spoilt[at] = byte;
    try {
      readTar(spoilt);
    } catch (error) {
      assert.ok(error instanceof TarError, String(error));
    }
  }));
});

test("what GNU tar writes, in each of its formats, is read as it was", async () => {
  const tree = join(scratch, "tree");
  const name = "long ".repeat(30);
  const script = `set -e; mkdir -p "$0/d"; cd "$0"
    printf content > d/file; printf x > "d/$1"; ln d/file d/link; ln -s "$1$1" d/symlink
    mkfifo d/fifo; chmod 4750 d/file
    printf begin > d/sparse; truncate -s 300000 d/sparse; printf end >> d/sparse
    for format in v7 ustar oldgnu posix; do
      tar -cf "$0-$format.tar" --format=$format d/file d/link
    done
    tar -cf "$0-gnu.tar" --format=gnu -S --sort=name d
    for version in 0.0 0.1 1.0; do
      tar -cf "$0-posix-$version.tar" --format=posix -S --sparse-version=$version --sort=name d
    done`;
  await runProgram("bash", ["-c", script, tree, name]);
  for (const format of ["v7", "ustar", "oldgnu", "posix"]) {
    const entries = readTar(readFileSync(`${tree}-${format}.tar`));
    const seen = entries.map(({ path, type, mode }) => `${path} ${type} ${mode.toString(8)}`);
    assert.deepEqual(seen, ["d/file file 4750", "d/link hardlink 4750"], format);
  }
  const sparse = Buffer.alloc(300_003);
  sparse.write("begin");
  sparse.write("end", 300_000);
  for (const format of ["gnu", "posix-0.0", "posix-0.1", "posix-1.0"]) {
    const entries = readTar(readFileSync(`${tree}-${format}.tar`));
    const paths = ["d/", "d/fifo", "d/file", "d/link", `d/${name}`, "d/sparse", "d/symlink"];
    assert.deepEqual(entries.map(({ path }) => path), paths, format);
    assert.deepEqual(entries[5]!.content, sparse, format);
    assert.equal(entries[6]!.linkPath, name + name, format);
  }
});

/** How many bytes at the end of a member only fill its last block. */
function paddingOf(one: TarSpec | Uint8Array): number {
  if (one instanceof Uint8Array) return 0;
  const { content = "", sparse } = one;
  const pieces = sparse === undefined ? [content] : sparse.chunks.map(([, data]) => data);
  const stored = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return (512 - stored % 512) % 512;
}

function chunksOf(archive: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...cuts, archive.length].sort((a, b) => a - b);
  let start = 0;
  return places.map((end) => archive.subarray(start, start = end));
}

function sparseChunks(count: number): [number, string][] {
  return Array.from({ length: count }, (_, at) => [at * 100 + 5, `piece ${at}`]);
}

test("a reader that skips unwanted content finds the same entries", () => {
  const whole = readTar(tarArchive(zoo)).map(({ content: _, ...entry }) => entry);
  for (const size of [512, 1024, 700]) {
    const archive = Buffer.concat([tarArchive(zoo), Buffer.alloc(5000, "rubbish")]);
    const entries: unknown[] = [];
    let skipped = 0;
    const parser = new TarParser({
      entry: (entry) => entries.push({ ...entry }) < 0,
      content: () => assert.fail("Nobody wants it"),
    });
    for (let at = 0; at < archive.length;) {
      const chunk = archive.subarray(at, at + size);
      parser.push(chunk);
      skipped += parser.idle;
      at += chunk.length + parser.idle;
      parser.skip();
    }
    parser.finish();
    assert.deepEqual(entries, whole);
    assert.equal(parser.idle, Infinity);
    assert.ok(skipped > 0);
  }
});

test("an entry says whether there are holes in its content", () => {
  const sparse = readTar(tarArchive(zoo)).filter((entry) => entry.sparse).map(({ path }) => path);
  assert.deepEqual(sparse, ["sparse-gnu", "sparse-0", "sparse-1"]);
});

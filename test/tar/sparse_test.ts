/** Sparse files, in every form that tar programs write. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import test from "node:test";
import { TarError } from "../../lib/tar/entry.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import {
  file,
  type SparseSpec,
  tarArchive,
  tarMember,
  type TarSpec,
} from "../helpers/tar_fixture.ts";
import { readOne, readTar, sealHeader } from "./read_tar.ts";

const formats = ["gnu", "0.0", "0.1", "1.0"] as const;
type Chunks = SparseSpec["chunks"];

const many: Chunks = Array.from({ length: 60 }, (_, at) => [at * 100, `data-${at}-`] as const);
const shapes: readonly [title: string, size: number, chunks: Chunks][] = [
  ["a hole at the start", 1000, [[900, "x".repeat(100)]]],
  ["a hole at the end", 100_000, [[0, "begin"], [99_999, ""]]],
  ["holes between", 5000, [[10, "one"], [600, "two"], [4097, "three"]]],
  ["no data at all", 70_000, []],
  ["an empty segment at its end", 4096, [[0, "begin"], [4096, ""]]],
  ["many segments", 6000, many],
  ["neighbouring segments", 6, [[0, "abc"], [3, "def"]]],
  ["no size", 0, []],
  ["whole blocks", 4096, [[512, "b".repeat(512)], [2048, "c".repeat(1024)]]],
];

for (const format of formats) {
  for (const [title, size, chunks] of shapes) {
    test(`a sparse file (${format}) with ${title} is expanded`, () => {
      const spec: TarSpec = { path: "dir/sparse", mode: 0o640, sparse: { format, size, chunks } };
      const [entry, next] = readTar(tarArchive([spec, file("next", "behind")]));
      assert.equal(entry!.type, "file");
      assert.equal(entry!.path, "dir/sparse");
      assert.equal(entry!.mode, 0o640);
      assert.equal(entry!.size, size);
      assert.deepEqual(entry!.content, expanded(size, chunks));
      assert.deepEqual([next!.path, next!.content.toString()], ["next", "behind"]);
    });
  }

  test(`a sparse file (${format}) whose segments overlap is refused`, () => {
    refused({ format, size: 100, chunks: [[0, "0123456789"], [5, "abc"]] }, /overlap/);
  });

  test(`a sparse file (${format}) whose segments go backwards is refused`, () => {
    refused({ format, size: 100, chunks: [[50, "abc"], [0, "abc"]] }, /overlap/);
  });

  test(`a sparse file (${format}) with a segment beyond its end is refused`, () => {
    refused({ format, size: 10, chunks: [[8, "abc"]] }, /beyond/);
  });

  test(`a sparse file (${format}) in chunks of any size is the same`, () => {
    const spec: TarSpec = { path: "s", sparse: { format, size: 6000, chunks: many } };
    const archive = tarArchive([spec]);
    for (const step of [1, 7, 511, 513]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < archive.length; at += step) {
        pieces.push(archive.subarray(at, at + step));
      }
      assert.deepEqual(readTar(...pieces)[0]!.content, expanded(6000, many), `${step} bytes`);
    }
  });

  test(`a sparse file (${format}) whose content is not asked for is skipped`, () => {
    const spec: TarSpec = { path: "s", sparse: { format, size: 6000, chunks: many } };
    const paths: string[] = [];
    const parser = new TarParser({
      entry({ path }) {
        paths.push(path);
        return false;
      },
      content: () => assert.fail("there is content"),
    });
    parser.push(tarArchive([spec, file("next")]));
    parser.finish();
    assert.deepEqual(paths, ["s", "next"]);
  });
}

const badRecords: readonly [title: string, pax: [string, string][], content: string][] = [
  ["no size", [["GNU.sparse.map", "0,1"]], "x"],
  ["an odd count of numbers", [["GNU.sparse.size", "9"], ["GNU.sparse.map", "0,1,2"]], "x"],
  ["a negative number", [["GNU.sparse.size", "9"], ["GNU.sparse.map", "-1,1"]], "x"],
  ["letters for numbers", [["GNU.sparse.size", "9"], ["GNU.sparse.map", "a,b"]], "x"],
  ["more data than is there", [["GNU.sparse.size", "9"], ["GNU.sparse.map", "0,5"]], "x"],
  ["less data than is there", [["GNU.sparse.size", "9"], ["GNU.sparse.map", "0,1"]], "xyz"],
  [
    "a segment over 2^53",
    [["GNU.sparse.size", "9"], ["GNU.sparse.map", "0,99999999999999999"]],
    "x",
  ],
];
for (const [title, pax, content] of badRecords) {
  test(`a sparse map with ${title} is refused`, () => {
    assert.throws(() => readTar(tarArchive([file("f", content, { pax })])), TarError);
  });
}

const badMaps: readonly [title: string, map: string][] = [
  ["that is empty", ""],
  ["without a count", "x\n"],
  ["with fewer lines than its count", "3\n0\n1\n"],
  ["with a negative count", "-1\n"],
  ["with a count of a million and one", "1000001\n"],
  ["with a line that is not a number", "1\n0\nx\n"],
  ["that needs more data than is there", "1\n0\n100\n"],
  ["of one endless line", "1".repeat(5000)],
  ["whose second line never ends", `1\n${"1".repeat(50_000)}`],
];
for (const [title, map] of badMaps) {
  test(`a sparse map before the data (1.0) ${title} is refused`, () => {
    const blocks = Buffer.alloc(Math.ceil(map.length / 512) * 512);
    blocks.write(map);
    const pax: [string, string][] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "100"],
    ];
    assert.throws(() => readTar(tarArchive([file("f", blocks, { pax })])), TarError);
  });
}

test("an endless map is refused long before it is all in memory", () => {
  const pax: [string, string][] = [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.realsize", "100"],
  ];
  const header = tarMember(file("f", "", { pax, sizeField: 8 * 2 ** 30 }));
  const parser = new TarParser({ entry: () => true, content() {} });
  parser.push(header);
  parser.push(Buffer.from("1\n"));
  const ones = Buffer.alloc(64 * 1024, "1");
  assert.throws(() => {
    for (let count = 0; count < 100; count++) parser.push(ones);
  }, TarError);
});

test("a negative length in the old map is refused", () => {
  const member = tarMember({
    path: "s",
    sparse: { format: "gnu", size: 100, chunks: [[10, "abc"]] },
  });
  member.fill(0xff, 398, 410);
  sealHeader(member);
  assert.throws(() => readTar(tarArchive([member])), TarError);
});

test("a directory is never sparse", () => {
  const pax: [string, string][] = [["GNU.sparse.size", "100"]];
  const entry = readOne(tarArchive([{ path: "d/", flag: "\0", magic: "v7", pax }]));
  assert.deepEqual([entry.type, entry.size], ["directory", 0]);
});

test("an empty sparse name is ignored", () => {
  const pax: [string, string][] = [["GNU.sparse.size", "0"], ["GNU.sparse.name", ""]];
  assert.equal(readOne(tarArchive([file("f", "", { pax })])).path, "f");
});

function refused(sparse: SparseSpec, message: RegExp): void {
  assert.throws(() => readTar(tarArchive([{ path: "s", sparse }])), { name: "TarError", message });
}

function expanded(size: number, chunks: Chunks): Buffer {
  const content = Buffer.alloc(size);
  for (const [offset, data] of chunks) content.write(String(data), offset);
  return content;
}

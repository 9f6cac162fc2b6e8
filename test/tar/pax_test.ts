/** PAX extended headers. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import test from "node:test";
import fc from "fast-check";
import { TarError } from "../../lib/tar/entry.ts";
import { parsePax } from "../../lib/tar/pax.ts";
import { file, paxRecords, tarArchive, tarMember } from "../helpers/tar_fixture.ts";
import { readOne, readTar } from "./read_tar.ts";

const malformed: readonly [records: string, title: string][] = [
  ["x", "no length"],
  ["path=a\n", "a key where the length should be"],
  ["10path=a\n", "no blank behind the length"],
  [" 9 path=a\n", "a blank in front"],
  ["-9 path=a\n", "a negative length"],
  ["0 path=a\n", "the length 0"],
  ["1 path=a\n", "a length that ends before the key"],
  ["5 path=a\n", "a length that ends within the key"],
  ["8 path=a\n", "a length that is too small by one"],
  ["99 path=a\n", "a length beyond the header"],
  ["9 path a\n", "no equals sign"],
  ["9 path=ab", "no newline"],
  ["9e0 path=a\n", "a length with an exponent"],
  ["99999999999999999999 path=a\n", "a length of twenty digits"],
  ["10 path=a\n\n5", "something behind the last record"],
];
for (const [records, title] of malformed) {
  test(`a PAX record with ${title} is refused`, () => {
    assert.throws(() => parsePax(Buffer.from(records)), TarError);
  });
}

const badValues: readonly [key: string, value: string][] = [
  ["path", "a\0b"],
  ["linkpath", "a\0b"],
  ["size", "-1"],
  ["size", "1e3"],
  ["size", "9007199254740993"],
  ["size", "12 "],
  ["uid", "root"],
  ["mtime", "yesterday"],
  ["mtime", "1e9"],
  ["mtime", "."],
  ["GNU.sparse.name", "a\0b"],
];
for (const [key, value] of badValues) {
  test(`the PAX record ${key}=${JSON.stringify(value)} is refused`, () => {
    const pax: [string, string][] = [[key, value]];
    if (key.startsWith("GNU")) pax.push(["GNU.sparse.size", "0"]);
    assert.throws(() => readTar(tarArchive([file("f", "", { pax })])), TarError);
  });
}

const times: readonly [text: string, seconds: number][] = [
  ["0", 0],
  ["1600000000", 1_600_000_000],
  ["1600000000.999999999", 1_600_000_000],
  ["1.", 1],
  ["-1", -1],
  ["-0.5", -1],
  ["-1.5", -2],
  ["99999999999", 99_999_999_999],
  ["12345678901234567890", 12_345_678_901_234_567_890],
  [`-${"9".repeat(400)}.5`, -Infinity],
];
for (const [text, seconds] of times) {
  test(`the time ${text} is ${seconds}`, () => {
    assert.equal(readOne(tarArchive([file("f", "", { pax: [["mtime", text]] })])).mtime, seconds);
  });
}

test("numbers that are too large for a header may be in a PAX header", () => {
  const pax: [string, string][] = [["uid", "4294967294"], ["gid", "3000000000"]];
  const { uid, gid } = readOne(tarArchive([file("f", "", { pax })]));
  assert.deepEqual([uid, gid], [4_294_967_294, 3_000_000_000]);
});

test("an empty value undoes a record, so the header's own value counts", () => {
  const pax: [string, string][] = [
    ["path", "other"],
    ["path", ""],
    ["linkpath", ""],
    ["size", ""],
    ["uid", "7"],
    ["uid", ""],
    ["gid", ""],
    ["mtime", ""],
  ];
  const entry = readOne(tarArchive([file("f", "abc", { uid: 3, gid: 4, mtime: 5, pax })]));
  const { path, size, uid, gid, mtime } = entry;
  assert.deepEqual([path, size, uid, gid, mtime], ["f", 3, 3, 4, 5]);
});

test("the last of several equal records counts", () => {
  assert.equal(
    readOne(tarArchive([file("f", "", { pax: [["path", "a"], ["path", "b"]] })])).path,
    "b",
  );
});

test("unknown records and empty keys are ignored", () => {
  const pax: [string, string][] = [["comment", "x=y\nz"], ["hdrcharset", "BINARY"], ["", "v"]];
  assert.equal(readOne(tarArchive([file("f", "", { pax })])).path, "f");
});

test("zero bytes after the last record are padding", () => {
  assert.equal(parsePax(Buffer.concat([paxRecords([["path", "a"]]), Buffer.alloc(9)])).path, "a");
});

test("records apply to one entry only", () => {
  const archive = tarArchive([
    file("a", "", { pax: [["uid", "9"]], xattrs: { "user.a": "1" } }),
    file("b"),
  ]);
  const [a, b] = readTar(archive);
  assert.deepEqual([a!.uid, a!.xattrs?.size], [9, 1]);
  assert.deepEqual([b!.uid, b!.xattrs], [0, undefined]);
});

test("records may follow a long name", () => {
  const longName = tarMember({ path: "././@LongLink", flag: "L", content: "long\0", magic: "gnu" });
  const archive = tarArchive([
    rawPax([["uid", "9"]]),
    longName,
    tarMember(file("short")),
  ]);
  const { path, uid } = readOne(archive);
  assert.deepEqual([path, uid], ["long", 9]);
});

const binaryValues: readonly [title: string, value: Uint8Array][] = [
  ["a capability", Buffer.from("0100000200200000000000000000000000000000", "hex")],
  ["newlines", Buffer.from("\n\n12 path=evil\n\n")],
  ["equals signs", Buffer.from("=a=b=")],
  ["zero bytes", Buffer.alloc(20)],
  ["every byte", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ["nothing", Buffer.alloc(0)],
];
for (const [title, value] of binaryValues) {
  test(`an attribute whose value is ${title} arrives byte for byte`, () => {
    const xattrs = { "security.capability": value, "user.next": "n" };
    const entry = readOne(tarArchive([file("f", "x", { xattrs })]));
    assert.deepEqual(Buffer.from(entry.xattrs!.get("security.capability")!), Buffer.from(value));
    assert.deepEqual(Buffer.from(entry.xattrs!.get("user.next")!), Buffer.from("n"));
    assert.equal(entry.path, "f");
  });
}

test("attributes with any name and value arrive", () => {
  const name = fc.stringMatching(/^user\.[a-z._-]{1,40}$/);
  const xattrs = fc.dictionary(name, fc.uint8Array({ maxLength: 300 }), { minKeys: 1, maxKeys: 5 });
  fc.assert(fc.property(xattrs, (xattrs) => {
    const entry = readOne(tarArchive([file("f", "", { xattrs })]));
    const read = [...entry.xattrs!].map(([key, value]) => [key, Buffer.from(value)]);
    assert.deepEqual(read, Object.entries(xattrs).map(([key, v]) => [key, Buffer.from(v)]));
  }));
});

test("any bytes are read as records or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      parsePax(bytes);
    } catch (error) {
      assert.ok(error instanceof TarError);
    }
  }));
});

function rawPax(records: readonly (readonly [string, string])[]): Buffer {
  return tarMember({ path: "PaxHeaders/x", flag: "x", content: paxRecords(records) });
}

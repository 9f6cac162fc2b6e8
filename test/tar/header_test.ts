/** Tar headers: numbers, checksums, names, types. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import test from "node:test";
import { TarError } from "../../lib/tar/entry.ts";
import { parseNumber } from "../../lib/tar/header.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import {
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
import { patchedMember, readOne, readTar } from "./read_tar.ts";

const numbers: readonly [field: string, value: number | undefined, title: string][] = [
  ["0000644\0", 0o644, "octal digits and a zero byte"],
  ["000644 \0", 0o644, "octal digits and a blank"],
  ["   644 \0", 0o644, "blanks and digits"],
  ["00000644", 0o644, "digits in the whole field"],
  ["\0\0\0\0\0\0\0\0", 0, "nothing but zero bytes"],
  ["        ", 0, "nothing but blanks"],
  ["\0\x0000644\0", 0o644, "zero bytes and digits, which Go accepts"],
  ["644\0junk", 0o644, "digits, an end and junk"],
  ["77777777777\0", 0o77777777777, "the largest octal size"],
  ["\x80\0\0\0\0\0\0\x2a", 42, "base-256"],
  ["\x80\0\0\0\x02\0\0\0\0\0\0\0", undefined, "a base-256 number beyond 2^53"],
  ["\x80\0\0\0\0\0\x03\0\0\0\0\0", 3 * 2 ** 40, "base-256 beyond 32 bits"],
  ["\xff\xff\xff\xff\xff\xff\xff\xff", -1, "a negative base-256 number"],
  ["\xff\xff\xff\xff\xff\xff\xfe\xd4", -300, "another negative one"],
  ["\xbf\xff\xff\xff\xff\xff\xff\xff", undefined, "a huge base-256 number"],
  ["0000648\0", undefined, "the digit 8"],
  ["-000644\0", undefined, "a minus sign"],
  ["0x00644\0", undefined, "hexadecimal digits"],
  ["abcdefg\0", undefined, "letters"],
];

for (const [field, expected, title] of numbers) {
  test(`a number of ${title} is ${expected ?? "refused"}`, () => {
    const bytes = Buffer.from(field, "latin1");
    const parse = () => parseNumber(bytes, 0, bytes.length);
    if (expected === undefined) assert.throws(parse, TarError);
    else assert.equal(parse(), expected);
  });
}

test("every field arrives", () => {
  const archive = tarArchive([
    node("dev/x", "3", [4, 64], { mode: 0o6755, uid: 3_000_000, gid: 4_000_000, mtime: 1234 }),
  ]);
  const { type, path, mode, uid, gid, mtime, deviceMajor, deviceMinor } = readOne(archive);
  assert.deepEqual(
    { type, path, mode, uid, gid, mtime, deviceMajor, deviceMinor },
    {
      type: "character",
      path: "dev/x",
      mode: 0o6755,
      uid: 3_000_000,
      gid: 4_000_000,
      mtime: 1234,
      deviceMajor: 4,
      deviceMinor: 64,
    },
  );
});

test("all fields may be base-256, times before 1970 among them", () => {
  const entry = readOne(tarArchive([file("f", "x", { base256: true, mode: 0o600, mtime: -7 })]));
  assert.equal(entry.mode, 0o600);
  assert.equal(entry.mtime, -7);
  assert.equal(entry.content.toString(), "x");
});

test("the bits for the file type in the mode field are ignored", () => {
  const member = patchedMember({}, (header) => header.write("0100755\0", 100, "latin1"));
  assert.equal(readOne(tarArchive([member])).mode, 0o755);
});

test("a wrong checksum is refused", () => {
  assert.throws(() => readTar(tarArchive([file("f", "", { checksum: "bad" })])), {
    name: "TarError",
    message: /checksum/,
  });
});

test("a checksum over signed bytes is accepted", () => {
  const entry = readOne(tarArchive([file("na\u00efve", "x", { checksum: "signed" })]));
  assert.equal(entry.path, Buffer.from("na\u00efve").toString("latin1"));
});

test("every changed byte of a header is noticed", () => {
  const archive = tarArchive([file("name", "content")]);
  for (let at = 0; at < 512; at++) {
    // A blank or zero byte ends the checksum's digits; the bytes after it have no meaning.
    if (at >= 154 && at < 156) continue;
    const spoilt = Buffer.from(archive);
    spoilt[at]! ^= 0x04;
    assert.throws(() => readTar(spoilt), TarError, `byte ${at}`);
  }
});

const impossible: readonly [title: string, patch: (header: Buffer) => void][] = [
  ["a negative size", (header) => header.fill(0xff, 124, 136)],
  ["a size beyond 2^53", (header) => header.fill(0x7f, 125, 136).fill(0x80, 124, 125)],
  ["junk for a size", (header) => header.write("12345x7", 124, "latin1")],
  ["junk for a mode", (header) => header.write("rwxr-xr", 100, "latin1")],
];
for (const [title, patch] of impossible) {
  test(`${title} is refused`, () => {
    assert.throws(() => readTar(tarArchive([patchedMember({}, patch)])), TarError);
  });
}

const devices: readonly [device: readonly [major: number, minor: number], refused?: RegExp][] = [
  [[0, 0]],
  [[0xfff, 0xfffff]],
  [[0x1000, 0], /device number 4096$/],
  [[0, 0x100000], /device number 1048576$/],
];
for (const [[major, minor], refused] of devices) {
  test(`the device ${major}:${minor} ${refused ? "is refused" : "arrives"}`, () => {
    for (const flag of ["3", "4"] as const) {
      const read = () => readOne(tarArchive([node("d", flag, [major, minor])]));
      if (refused !== undefined) {
        assert.throws(read, { name: "TarError", message: refused });
      } else {
        const { deviceMajor, deviceMinor } = read();
        assert.deepEqual([deviceMajor, deviceMinor], [major, minor]);
      }
    }
  });
}

test("a negative device number is refused", () => {
  const member = patchedMember({ flag: "3" }, (header) => header.fill(0xff, 329, 337));
  assert.throws(() => readTar(tarArchive([member])), { name: "TarError", message: /number -1$/ });
});

test("device numbers are ignored if the entry is not a device", () => {
  const junk = patchedMember({ magic: "v7" }, (header) => header.write("junk", 329, "latin1"));
  assert.equal(readOne(tarArchive([junk])).deviceMajor, 0);
});

const long = (length: number, letter = "n") => letter.repeat(length);
const deep = Array.from({ length: 16 }, (_, level) => String(level).padStart(255, "d")).join("/");

const names: readonly [title: string, spec: TarSpec][] = [
  ["a short name", file("a/b")],
  ["a name of 99 bytes", file(long(99))],
  ["a name of 100 bytes, without an end", file(long(100))],
  ["a name of 101 bytes", file(long(101))],
  ["a name of 101 bytes, GNU", file(long(101), "", { longNames: "gnu" })],
  ["a name of 255 bytes", file(long(255))],
  ["a name of 255 bytes, GNU", file(long(255), "", { longNames: "gnu" })],
  ["a path of 4 KiB", file(deep)],
  ["a path of 4 KiB, GNU", file(deep, "", { longNames: "gnu" })],
  ["a symlink of 100 bytes", symlink("l", long(100))],
  ["a symlink of 4 KiB", symlink("l", deep)],
  ["a symlink of 4 KiB, GNU", symlink("l", deep, { longNames: "gnu" })],
  ["a hard link from long to long", link(long(200), long(201), { longNames: "gnu" })],
  ["a hard link from long to long, PAX", link(long(200), long(201))],
  ["a name that is not UTF-8", file(Buffer.from([0x66, 0xff, 0xfe, 0x80]))],
  ["a long name that is not UTF-8", file(Buffer.alloc(150, 0xe9))],
  ["a long name that is not UTF-8, GNU", file(Buffer.alloc(150, 0xe9), "", { longNames: "gnu" })],
  ["blanks, quotes, newlines", file(" a\"'\\\n\t ")],
];
for (const [title, spec] of names) {
  test(`${title} arrives byte for byte`, () => {
    const entry = readOne(tarArchive([spec]));
    const latin1 = (bytes: string | Uint8Array = "") =>
      Buffer.from(bytes as string).toString("latin1");
    assert.equal(entry.path, latin1(spec.path));
    assert.equal(entry.linkPath, latin1(spec.linkPath));
  });
}

test("the prefix field comes before the name", () => {
  assert.equal(
    readOne(tarArchive([file("name", "", { prefix: "some/where" })])).path,
    "some/where/name",
  );
});

test("a prefix and a name that fill their whole fields are read to their ends", () => {
  const spec = file(long(100), "", { prefix: long(155, "p") });
  assert.equal(readOne(tarArchive([spec])).path, `${long(155, "p")}/${long(100)}`);
});

test("GNU's headers have no prefix field", () => {
  const member = patchedMember(
    { magic: "gnu" },
    (header) => header.write("12345670123", 345, "latin1"),
  );
  assert.equal(readOne(tarArchive([member])).path, "name");
});

test("GNU's long name wins over PAX's path, which wins over the header's", () => {
  const longName = tarMember({ path: "././@LongLink", flag: "L", content: "gnu\0", magic: "gnu" });
  const pax = tarMember(file("header", "", { pax: [["path", "pax"]] }));
  assert.equal(readOne(tarArchive([pax])).path, "pax");
  assert.equal(readOne(tarArchive([longName, pax])).path, "gnu");
});

test("an empty long name is ignored", () => {
  const longName = tarMember({ path: "././@LongLink", flag: "L", content: "\0", magic: "gnu" });
  const longLink = tarMember({ path: "././@LongLink", flag: "K", content: "", magic: "gnu" });
  const { path, linkPath } = readOne(tarArchive([longName, longLink, symlink("name", "target")]));
  assert.deepEqual([path, linkPath], ["name", "target"]);
});

test("long names apply to one entry only", () => {
  const archive = tarArchive([
    link(long(200), long(200), { longNames: "gnu" }),
    symlink("b", "c"),
    file("d", "", { pax: [["path", long(300)]] }),
    file("e"),
  ]);
  assert.deepEqual(readTar(archive).map(({ path }) => path.length), [200, 1, 300, 1]);
});

const types: readonly [flag: string, type: string][] = [
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "character"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
];
for (const [flag, type] of types) {
  test(`the type ${JSON.stringify(flag)} is a ${type}`, () => {
    assert.equal(readOne(tarArchive([{ path: "p", flag }])).type, type);
  });
}

test("in old archives without a type for directories a slash marks them", () => {
  const archive = tarArchive([{ path: "d/", flag: "\0", magic: "v7" }, directory("e/")]);
  assert.deepEqual(readTar(archive).map(({ type }) => type), ["directory", "directory"]);
});

for (const flag of ["8", "D", "M", "V", "N", "A", "X", "\x01", "\xff"]) {
  test(`the unknown type ${JSON.stringify(flag)} is refused, and named`, () => {
    assert.throws(() => readTar(tarArchive([{ path: "p", flag }])), {
      name: "TarError",
      message: /unknown type ('.'|0x[0-9a-f]+)/,
    });
  });
}

test("only files have content, even if another entry has a size", () => {
  const archive = tarArchive([
    link("l", "f", { sizeField: 4096 }),
    directory("d", { sizeField: 4096 }),
    symlink("s", "t", { sizeField: 3 }),
    file("f", "content"),
  ]);
  assert.deepEqual(readTar(archive).map(({ size }) => size), [0, 0, 0, 7]);
});

test("a global header is ignored", () => {
  const archive = tarArchive([
    globalHeader([["comment", "0123"], ["path", "everything"], ["uid", "99"]]),
    file("f", "x", { uid: 5 }),
    globalHeader([]),
    file("g", "y"),
  ]);
  const entries = readTar(archive);
  assert.deepEqual(entries.map(({ path, uid }) => [path, uid]), [["f", 5], ["g", 0]]);
});

test("a global header may be the last thing in an archive", () => {
  for (const end of ["two-blocks", "nothing"] as const) {
    const archive = tarArchive([file("f"), globalHeader([["comment", "the end"]])], { end });
    assert.deepEqual(readTar(archive).map(({ path }) => path), ["f"]);
  }
});

test("ordinals count entries, not metadata", () => {
  const archive = tarArchive([
    globalHeader([["a", "b"]]),
    file(long(300)),
    file("b"),
    directory("c"),
  ]);
  assert.deepEqual(readTar(archive).map(({ ordinal }) => ordinal), [0, 1, 2]);
});

for (
  const [title, flag] of [["PAX", "x"], ["global", "g"], ["long name", "L"], ["long link", "K"]]
) {
  test(`a ${title} header of a megabyte and a byte is refused before it is read`, () => {
    const member = tarMember({ path: "m", flag, content: "", sizeField: 1024 * 1024 + 1 });
    assert.throws(() => readTar(member), { name: "TarError", message: /1048577 bytes/ });
  });
}

test("a size beyond 8 GiB may be in base-256", () => {
  const size = 20 * 2 ** 30 + 5;
  const member = tarMember(file("big", "", { sizeField: size, base256: true }));
  assert.equal(sizeOfFirst(member), size);
});

test("a size beyond 8 GiB may be in a PAX header", () => {
  const member = tarMember(file("big", "", { pax: [["size", String(20 * 2 ** 30)]] }));
  assert.equal(sizeOfFirst(member), 20 * 2 ** 30);
});

test("a PAX size wins over the header's", () => {
  const member = tarMember(file("f", "content", { sizeField: 0, pax: [["size", "7"]] }));
  assert.equal(readOne(tarArchive([member])).content.toString(), "content");
});

/** Gives the size that the parser announces, although the content never comes. */
function sizeOfFirst(member: Buffer): number {
  let announced = NaN;
  const parser = new TarParser({
    entry({ size }) {
      announced = size;
      return false;
    },
    content() {},
  });
  parser.push(Buffer.concat([member, Buffer.alloc(1024)]));
  assert.throws(() => parser.finish(), TarError);
  return announced;
}

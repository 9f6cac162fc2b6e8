/** What a squashfs image says of itself, and which files are none. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readSuperblock } from "../../lib/squashfs/superblock.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { mksquashfs } from "./packing.ts";

const scratch = scratchDirectory("superblock");
const image = join(scratch, "image.sqsh");
mkdirSync(join(scratch, "tree/etc"), { recursive: true });
writeFileSync(join(scratch, "tree/etc/hosts"), "127.0.0.1\n");
execFileSync(mksquashfs, [join(scratch, "tree"), image, "-quiet", "-no-progress", "-comp", "zstd"]);
const bytes = readFileSync(image);

test("an image has a compressor, a size and a number of files", () => {
  const { compressor, inodes, bytes: size } = readSuperblock(image);
  assert.deepEqual([compressor, inodes], ["zstd", 3]);
  assert.ok(size > 96 && size <= bytes.length);
});

/** A copy with other bytes at this offset. */
function changed(at: number, ...values: readonly number[]): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(values, at);
  return copy;
}

const REFUSED: readonly (readonly [title: string, content: Uint8Array, message: RegExp])[] = [
  ["an empty file", Buffer.alloc(0), /Invalid image format: .*: it is empty$/],
  ["a text", Buffer.from("#!/bin/sh\n"), /does not begin as a squashfs image$/],
  ["a compressed archive", Buffer.from([0x1f, 0x8b, 8, 0]), /compressed by gzip/],
  ["an image of a big-endian machine", changed(0, ...Buffer.from("sqsh")), /big-endian/],
  ["an image of another version", changed(28, 3, 0, 1, 0), /squashfs version 3\.1, not 4\.0$/],
  ["half a superblock", bytes.subarray(0, 50), /is cut short: it has 50 of 96 bytes$/],
  ["half an image", bytes.subarray(0, 200), /is cut short: it has 200 of \d+ bytes$/],
];

for (const [title, content, message] of REFUSED) {
  test(`${title} is refused`, () => {
    const path = join(scratch, "broken");
    writeFileSync(path, content);
    assert.throws(() => readSuperblock(path), { code: "squashfs", message });
  });
}

test("an unknown compressor is not given a name", () => {
  const path = join(scratch, "unknown");
  writeFileSync(path, changed(20, 99, 0));
  assert.equal(readSuperblock(path).compressor, undefined);
});

test("what is no regular file is refused, and a pipe is not waited for", () => {
  assert.throws(() => readSuperblock(scratch), { code: "squashfs", message: /is a directory/ });
  const pipe = join(scratch, "pipe");
  execFileSync("mkfifo", [pipe]);
  assert.throws(() => readSuperblock(pipe), { code: "squashfs", message: /is no regular file/ });
});

test("a URI in the place of a file draws a hint", () => {
  assert.throws(() => readSuperblock(`${scratch}/docker://alpine`), {
    code: "not_found",
    hint: /denroot load/,
  });
});

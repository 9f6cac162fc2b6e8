/** Files that are image definitions, and files that are something else. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { readDefinition } from "../../lib/definition/read_definition.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("definition");
const IMAGE = "image docker://alpine:3.20";
let count = 0;

function write(content: string | Uint8Array): string {
  const path = join(scratch, `file-${++count}`);
  writeFileSync(path, content);
  return path;
}

const FIRST_LINES = [
  "#!/usr/bin/env denroot",
  "#! /usr/bin/env denroot",
  "#!/usr/bin/env -S denroot --debug",
  "#!/opt/denroot/denroot-linux-x64",
  "#!/usr/local/bin/enroot",
];

for (const line of FIRST_LINES) {
  test(`"${line}" begins a definition`, () => {
    assert.equal(readDefinition(write(`${line}\n${IMAGE}`), {}).image, "docker://alpine:3.20");
  });
}

test("a definition may have a byte order mark and CRLF", () => {
  const file = write(`\ufeff#!/usr/bin/env denroot\r\n${IMAGE}\r\n`);
  assert.equal(readDefinition(file, {}).image, "docker://alpine:3.20");
});

test("comments may mention enroot's settings", () => {
  const file = write(`#!/usr/bin/env denroot\n# ENROOT_CACHE_PATH is on /scratch\n${IMAGE}\n`);
  assert.equal(readDefinition(file, {}).image, "docker://alpine:3.20");
});

test("variables come from the environment", () => {
  const file = write(`#!/usr/bin/env denroot\n${IMAGE}\noutput $PLACE/x.sqsh\n`);
  assert.equal(readDefinition(file, { PLACE: "/scratch" }).output, "/scratch/x.sqsh");
});

test("relative paths start from the file's directory, also through a link", () => {
  const file = write(`#!/usr/bin/env denroot\n${IMAGE}\noutput x.sqsh\n`);
  mkdirSync(join(scratch, "bin"));
  const link = join(scratch, "bin/link");
  symlinkSync(file, link);
  assert.equal(readDefinition(file, {}).output, join(scratch, "x.sqsh"));
  assert.equal(readDefinition(link, {}).output, join(scratch, "x.sqsh"));
});

const BATCH_FILES = [
  "#!/usr/bin/enroot batch\n",
  "#! /usr/bin/enroot batch\n#ENROOT_ROOTFS=ubuntu\n",
  "#!/usr/bin/env -S denroot batch\n",
  "#!/usr/bin/env denroot\n#ENROOT_ROOTFS=ubuntu\n",
  "#!/bin/bash\n# ENROOT_REMAP_ROOT=y\nmounts() { :; }\n",
];

for (const content of BATCH_FILES) {
  test(`the error for ${JSON.stringify(content)} names batch`, () => {
    const file = write(content);
    assert.throws(() => readDefinition(file, {}), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "definition");
      assert.match(error.hint ?? "", new RegExp(`denroot batch ${file};`));
      return true;
    });
  });
}

const HEADER = "#!/usr/bin/env denroot\n";
const OTHERS: ReadonlyArray<[what: string, content: string | Uint8Array, message: RegExp]> = [
  ["an empty file", "", /first line is not #!\/usr\/bin\/env denroot$/],
  ["a text", "image docker://alpine\n", /first line is not/],
  ["another program's script", "#!/bin/sh\necho denroot\n", /first line is not/],
  ["a binary", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), /not a text file$/],
  ["a squashfs image", "hsqs\0\0", /is an image file, not a definition/],
  ["Latin-1", new Uint8Array([...new TextEncoder().encode(HEADER), 0xe9]), /not UTF-8 text$/],
  ["a definition that is too long", HEADER + "#é\n".repeat(20_000), /longer than 64 KiB$/],
];

for (const [what, content, message] of OTHERS) {
  test(`${what} is not a definition`, () => refuses(write(content), "definition", message));
}

test("a directory, a pipe and a missing file are not definitions", () => {
  refuses(scratch, "definition", /not a regular file$/);
  const pipe = join(scratch, "pipe");
  execFileSync("mkfifo", [pipe]);
  refuses(pipe, "definition", /not a regular file$/);
  refuses(join(scratch, "missing"), "not_found", /There is no file/);
});

function refuses(file: string, code: string, message: RegExp): void {
  assert.throws(() => readDefinition(file, {}), (error: unknown) => {
    assert(error instanceof DenrootError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert(error.message.includes(file));
    return true;
  });
}

/** Files that denroot carries, and files in memory. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { carriedFile } from "../../lib/system/carried_file.ts";
import { loadLibc } from "../../lib/system/libc.ts";
import { memoryFile } from "../../lib/system/files/memory_file.ts";
import { runCommand } from "../../lib/system/process/run_command.ts";

test("a carried file is found by its path from the project's root", () => {
  const licence = readFileSync(new URL("../../LICENSE", import.meta.url));
  assert.deepEqual(carriedFile("LICENSE"), licence);
});

test("a file that is not carried is undefined, one that cannot be read is an error", () => {
  assert.equal(carriedFile("build/squashfs/sparc/mksquashfs"), undefined);
  assert.throws(() => carriedFile("lib"), /EISDIR/);
});

test("a program in memory can run while its file is open", async () => {
  const content = Buffer.from("#!/bin/sh\necho from memory\n");
  const file = memoryFile("program", content);
  assert.deepEqual(readFileSync(file.path), content);
  assert.match(readlinkSync(file.path), /^\/memfd:program/);
  assert.equal((await runCommand(file.path, [])).stdout.toString(), "from memory\n");
  file.close();
  assert.ok(!existsSync(file.path));
});

test("a large file in memory is whole", () => {
  const content = Buffer.alloc(5_000_000, "0123456789");
  const file = memoryFile("large", content);
  assert.ok(readFileSync(file.path).equals(content));
  file.close();
});

test("a file in memory is not inherited by other programs", async () => {
  const file = memoryFile("private", Buffer.from("x"));
  const { stdout } = await runCommand("/bin/ls", ["-l", "/proc/self/fd"]);
  assert.doesNotMatch(stdout.toString(), /memfd:private/);
  file.close();
});

test("a function that libc lacks is an error, not a crash", async () => {
  await assert.rejects(loadLibc({ no_such_function: { args: [], result: "i32" } }));
});

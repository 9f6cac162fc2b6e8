/** Files as the kernel sees them, the same on every runtime. */

import assert from "node:assert/strict";
import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  ENOENT,
  ENOTDIR,
  FILE_TYPE,
  type FileStatus,
  nativeFiles,
  REGULAR,
} from "../../../lib/system/files/native_files.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("native");

test("files with names of any bytes are listed, looked at and read", async () => {
  const native = await nativeFiles();
  mkdirSync(join(scratch, "ä"));
  await runProgram("sh", ["-c", 'printf hello > "$(printf "f\\377")"'], {
    cwd: join(scratch, "ä"),
  });
  const directory = native.openRoot(join(scratch, "ä"));
  assert.deepEqual(native.list(directory), ["f\xff"]);
  const status = native.status(directory, "f\xff") as FileStatus;
  assert.equal(status.size, 5);
  assert.equal(status.mode & FILE_TYPE, REGULAR);
  const descriptor = native.openFile(directory, "f\xff");
  const buffer = new Uint8Array(10);
  assert.equal(native.read(descriptor, buffer), 5);
  assert.equal(new TextDecoder().decode(buffer.subarray(0, 5)), "hello");
  assert.equal(native.read(descriptor, buffer), 0);
  for (const one of [descriptor, directory]) native.close(one);
});

test("a status is what the kernel says", async () => {
  const native = await nativeFiles();
  writeFileSync(join(scratch, "file"), "12345", { mode: 0o640 });
  const root = native.openRoot(scratch);
  const { ino, dev: _, ...expected } = statSync(join(scratch, "file"));
  const status = native.status(root, "file") as FileStatus;
  assert.deepEqual(
    [status.mode, status.uid, status.gid, status.links, status.size, status.mtime],
    [
      expected.mode,
      expected.uid,
      expected.gid,
      expected.nlink,
      expected.size,
      Math.floor(expected.mtimeMs / 1000),
    ],
  );
  assert.ok(status.identity.endsWith(`:${ino}`));
  native.close(root);
});

test("a symlink is not followed, and errors have the kernel's numbers", async () => {
  const native = await nativeFiles();
  symlinkSync("somewhere", join(scratch, "link"));
  symlinkSync(".", join(scratch, "here"));
  const root = native.openRoot(scratch);
  assert.equal(native.readLink(root, "link"), "somewhere");
  assert.ok(native.openFile(root, "here") < 0);
  assert.equal(native.openDirectory(root, "here"), ENOTDIR);
  assert.equal(native.openFile(root, "nothing"), ENOENT);
  assert.equal(native.status(root, "nothing"), ENOENT);
  assert.equal(native.openRoot(join(scratch, "nothing")), ENOENT);
  native.close(root);
});

test("all names of a large directory are listed, and extended attributes are read", async () => {
  const native = await nativeFiles();
  mkdirSync(join(scratch, "many"));
  const names = Array.from({ length: 5000 }, (_, index) => `a-rather-long-name-${index}`);
  for (const name of names) writeFileSync(join(scratch, "many", name), "");
  await runProgram("setfattr", ["-n", "user.a", "-v", "1", join(scratch, "many", names[0]!)]);
  await runProgram("setfattr", ["-n", "user.b", "-v", "", join(scratch, "many", names[0]!)]);
  const directory = native.openRoot(join(scratch, "many"));
  assert.deepEqual((native.list(directory) as string[]).sort(), names.toSorted());
  const xattrs = native.xattrs(directory, names[0]!);
  assert.deepEqual([...xattrs.keys()].filter((key) => key.startsWith("user.")).sort(), [
    "user.a",
    "user.b",
  ]);
  assert.equal(new TextDecoder().decode(xattrs.get("user.a")), "1");
  assert.equal([...native.xattrs(directory, names[1]!).keys()].some((k) => /^user/.test(k)), false);
  native.close(directory);
});

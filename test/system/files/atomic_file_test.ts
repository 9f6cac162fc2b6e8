/** Files that appear whole or not at all. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { AtomicFile, writeFileAtomically } from "../../../lib/system/files/atomic_file.ts";
import { processMark } from "../../../lib/system/files/process_mark.ts";
import { deadMark } from "../../helpers/dead_mark.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("atomic");
const content = Buffer.from("the new content");
let directories = 0;

test("a file is not there before it is published, and alone there afterwards", async () => {
  const { directory, file, target } = newFile();
  file.write(content.subarray(4), 4);
  file.write(content.subarray(0, 4), 0);
  const buffer = Buffer.alloc(100);
  assert.equal(file.read(buffer, 0), content.length);
  assert.deepEqual(fs.readdirSync(directory), ["temporary"]);
  assert.ok(await file.publish(target, { replace: true }));
  assert.deepEqual(fs.readdirSync(directory), ["target"]);
  assert.deepEqual(fs.readFileSync(target), content);
  file.close();
  assert.ok(fs.existsSync(target));
});

test("another file of the name is replaced only if that is wanted", async () => {
  const { directory, file, target } = newFile();
  fs.writeFileSync(target, "precious");
  file.write(content, 0);
  assert.equal(await file.publish(target, { replace: false }), false);
  assert.equal(fs.readFileSync(target, "utf8"), "precious");
  assert.equal(await file.publish(target, { replace: true }), true);
  assert.deepEqual(fs.readFileSync(target), content);
  assert.deepEqual(fs.readdirSync(directory), ["target"]);
});

test("a symlink that leads nowhere is not replaced either", async () => {
  const { file, target } = newFile();
  fs.symlinkSync("nowhere", target);
  file.write(content, 0);
  assert.equal(await file.publish(target, { replace: false }), false);
  assert.equal(fs.readlinkSync(target), "nowhere");
  file.close();
});

test("a name that was made, though the answer was lost, counts as made", async () => {
  const { directory, file, target } = newFile();
  file.write(content, 0);
  fs.linkSync(file.temporary, target);
  assert.equal(await file.publish(target, { replace: false }), true);
  assert.deepEqual(fs.readdirSync(directory), ["target"]);
});

test("a file that is given up leaves nothing, and a late writer cannot bring it back", async () => {
  const { directory, file, target } = newFile();
  file.write(content, 0);
  file.close();
  file.close();
  assert.throws(() => file.write(content, 0), { code: "aborted" });
  await assert.rejects(file.publish(target, { replace: true }));
  file.close();
  assert.deepEqual(fs.readdirSync(directory), []);
});

test("a publication that fails leaves the file to be removed", async () => {
  const { directory, file } = newFile();
  file.write(content, 0);
  await assert.rejects(file.publish(join(directory, "none", "target"), { replace: true }));
  assert.deepEqual(fs.readdirSync(directory), ["temporary"]);
  file.close();
  assert.deepEqual(fs.readdirSync(directory), []);
});

test("another program may write the file", async () => {
  const { directory, file, target } = newFile();
  fs.writeFileSync(file.temporary, content);
  file.flush();
  assert.ok(await file.publish(target, { replace: false }));
  assert.deepEqual(fs.readFileSync(target), content);
  assert.deepEqual(fs.readdirSync(directory), ["target"]);
});

test("a file waits for the disk unless its readers check it", async (context) => {
  const { mock } = context.mock.method(fs, "fsync");
  for (const options of [{}, { durable: true }, { durable: false }]) {
    const { file, target } = newFile();
    file.write(content, 0);
    const before = mock.callCount();
    assert.ok(await file.publish(target, { replace: true, ...options }));
    assert.equal(mock.callCount() - before, options.durable === false ? 0 : 1);
    assert.deepEqual(fs.readFileSync(target), content);
  }
});

test("a file whose publication failed is not written to any more", async () => {
  const { file, target } = newFile();
  fs.writeFileSync(target, "precious");
  file.write(content, 0);
  assert.equal(await file.publish(target, { replace: false }), false);
  assert.throws(() => file.write(content, 0), { code: "aborted" });
  assert.deepEqual(fs.readFileSync(file.temporary), content);
  file.close();
  assert.ok(!fs.existsSync(file.temporary));
});

test("files are closed after use, published or not", async () => {
  const before = fs.readdirSync("/proc/self/fd").length;
  for (let turn = 0; turn < 20; turn++) {
    const { file, target } = newFile();
    file.write(content, 0);
    if (turn % 2 === 0) await file.publish(target, { replace: true });
    file.close();
  }
  assert.ok(fs.readdirSync("/proc/self/fd").length < before + 5);
});

test("a temporary file that is there already is neither written to nor removed", () => {
  const { file } = newFile();
  fs.writeFileSync(file.temporary, "another's");
  assert.throws(() => file.create(), { code: "EEXIST" });
  file.close();
  assert.equal(fs.readFileSync(file.temporary, "utf8"), "another's");
});

test("a whole file is written in one step, with exact permissions", async () => {
  const { directory, target } = newFile();
  fs.writeFileSync(target, "old");
  const before = process.umask(0o077);
  try {
    await writeFileAtomically(target, content, { mode: 0o644 });
  } finally {
    process.umask(before);
  }
  assert.deepEqual(fs.readFileSync(target), content);
  assert.equal(fs.statSync(target).mode & 0o7777, 0o644);
  assert.deepEqual(fs.readdirSync(directory), ["target"]);
});

test("writing a file removes what killed writers left, and leaves nothing when it fails", async () => {
  const { directory, target } = newFile();
  const other = `.denroot-${processMark()}.tmp`;
  for (const name of [other, `.denroot-${deadMark()}.tmp`]) {
    fs.writeFileSync(join(directory, name), "half");
  }
  fs.mkdirSync(target);
  await assert.rejects(writeFileAtomically(target, content));
  assert.deepEqual(fs.readdirSync(directory).sort(), [other, "target"]);
});

function newFile(): { directory: string; file: AtomicFile; target: string } {
  const directory = join(scratch, `${directories++}`);
  fs.mkdirSync(directory);
  const file = new AtomicFile(join(directory, "temporary"));
  return { directory, file, target: join(directory, "target") };
}

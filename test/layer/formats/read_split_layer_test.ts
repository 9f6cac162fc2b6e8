/** Unpacked layers are put together again: exact bytes, and nothing from outside the layer. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { DenrootError } from "../../../lib/errors.ts";
import { readSplitLayer } from "../../../lib/layer/formats/read_split_layer.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("split");

type Step = string | readonly [name: string, size: number];

test("segments and contents come in order, across all buffers", async () => {
  const root = newLayer();
  mkdirSync(join(root, "a/b"), { recursive: true });
  const large = randomBytes(2_000_003);
  writeFileSync(join(root, "a/b/large"), large);
  writeFileSync(join(root, "a/small"), "small");
  const header = "h".repeat(700_001);
  const steps = [header, ["./a/b/large", large.length], "-", ["/a//small", 5], "end"] as const;
  const expected = Buffer.concat([Buffer.from(header), large, Buffer.from("-smallend")]);
  assert.ok(expected.equals(await read(root, steps)));
});

test("paths through symlinks stay inside the layer", async () => {
  const root = newLayer();
  mkdirSync(join(root, "usr/lib"), { recursive: true });
  writeFileSync(join(root, "usr/lib/x"), "inside");
  writeFileSync(join(scratch, "outside"), "secret");
  symlinkSync("/usr/lib", join(root, "absolute"));
  symlinkSync("../../../usr/lib", join(root, "usr/climbing"));
  symlinkSync("lib/../lib/.", join(root, "usr/around"));
  for (const path of ["absolute/x", "usr/climbing/x", "usr/around/x", "usr/../usr/lib/x"]) {
    assert.equal((await read(root, [[path, 6]])).toString(), "inside", path);
  }
  symlinkSync(scratch, join(root, "out"));
  symlinkSync("loop", join(root, "loop"));
  symlinkSync(join(scratch, "outside"), join(root, "leaf"));
  await refused(root, ["out/outside", 6], /"out\/outside" is not there/);
  await refused(root, ["../outside", 6], /is not there/);
  await refused(root, ["loop/x", 6], /cannot be read/);
  await refused(root, ["leaf", 6], /"leaf" is not a regular file/);
  await refused(root, ["usr/..", 6], /is not there/);
});

test("a path is looked up from the directory that it shares with the last one", async () => {
  const root = newLayer();
  for (const path of ["a/b/c", "a/d", "e"]) mkdirSync(join(root, path), { recursive: true });
  const files = ["a/b/c/1", "a/b/2", "a/d/3", "4", "e/5", "a/b/c/6"];
  for (const path of files) writeFileSync(join(root, path), path.at(-1)!);
  assert.equal((await read(root, files.map((path) => [path, 1] as const))).toString(), "123456");
});

test("another kind of file, or one of another size, is refused without waiting for it", async () => {
  const root = newLayer();
  await runProgram("mkfifo", [join(root, "pipe")]);
  mkdirSync(join(root, "directory"));
  writeFileSync(join(root, "file"), "content");
  await refused(root, ["pipe", 4], /"pipe" is not a regular file/);
  await refused(root, ["directory", 4], /"directory" is not a regular file/);
  await refused(root, ["file", 4], /"file" has 7 bytes in the storage instead of 4/);
  await refused(root, ["file/below", 4], /"file\/below" is not there/);
  await refused(root, ["nothing", 4], /"nothing" is not there/);
  renameSync(root, `${root}-gone`);
  await refused(root, ["file", 7], /The layer's directory .* is not there/);
});

function newLayer(): string {
  return mkdtempSync(join(scratch, "layer-"));
}

async function read(root: string, steps: readonly Step[]): Promise<Buffer> {
  const recipe = join(mkdtempSync(join(scratch, "recipe-")), "recipe.gz");
  const lines = steps.map((step) =>
    typeof step === "string"
      ? { type: 2, payload: Buffer.from(step).toString("base64") }
      : { type: 1, name: step[0], size: step[1] }
  );
  writeFileSync(recipe, gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
  const pieces: Buffer[] = [];
  for await (const piece of readSplitLayer({ type: "tar-split", recipe, root })) {
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

async function refused(root: string, step: Step, message: RegExp): Promise<void> {
  await assert.rejects(read(root, [step]), (error) => {
    assert.ok(error instanceof DenrootError);
    assert.match(error.message, message);
    return true;
  });
}

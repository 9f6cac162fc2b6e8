/** Layers without a recipe: the tar stream that is made of their directory. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { readLayerTree } from "../../../lib/layer/formats/read_layer_tree.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("tree");

test("entries are sorted and keep links, times, modes and contents; the stream is reproducible", async () => {
  const root = newLayer();
  mkdirSync(join(root, "b"), { mode: 0o750 });
  writeFileSync(join(root, "b/file"), "x".repeat(600_000));
  chmodSync(join(root, "b/file"), 0o4711);
  linkSync(join(root, "b/file"), join(root, "a"));
  symlinkSync("../anywhere", join(root, "c"));
  await runProgram("mkfifo", ["-m", "600", join(root, "d")]);
  for (const path of ["b/file", "b", "d"]) utimesSync(join(root, path), 1e9, 1e9);
  await runProgram("touch", ["-h", "-d", "@1000000000", join(root, "c")]);
  const stream = await read(root);
  assert.deepEqual(
    await list(stream),
    [
      "-rws--x--x 600000 2001-09-09 a",
      "drwxr-x--- 0 2001-09-09 b/",
      "hrws--x--x 0 1970-01-01 b/file link to a",
      "lrwxrwxrwx 0 2001-09-09 c -> ../anywhere",
      "prw------- 0 2001-09-09 d",
    ].map((line) => line.replace("hrws--x--x", "h---------")),
  );
  assert.ok(stream.equals(await read(root)));
});

test("deletions become whiteouts, as overlayfs and fuse-overlayfs mark them", async (t) => {
  if (process.getuid?.() !== 0) {
    t.skip("needs root, to make devices");
    return;
  }
  const root = newLayer();
  mkdirSync(join(root, "etc"));
  await runProgram("mknod", [join(root, "etc/gone"), "c", "0", "0"]);
  await runProgram("mknod", [join(root, "etc/null"), "c", "1", "3"]);
  writeFileSync(join(root, "etc/.wh.deleted"), "");
  const marks = ["trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"];
  for (const [index, mark] of marks.entries()) {
    mkdirSync(join(root, `opaque${index}`));
    await runProgram("setfattr", ["-n", mark, "-v", "y", join(root, `opaque${index}`)]);
  }
  mkdirSync(join(root, "plain"));
  await runProgram("setfattr", ["-n", "user.overlay.opaque", "-v", "x", join(root, "plain")]);
  assert.deepEqual(await names(root), [
    "etc/",
    "etc/.wh.deleted",
    "etc/.wh.gone",
    "etc/null",
    ...[0, 1, 2].flatMap((index) => [`opaque${index}/`, `opaque${index}/.wh..wh..opq`]),
    "plain/",
  ]);
});

test("a whole tree hides all lower layers", async () => {
  const root = newLayer();
  writeFileSync(join(root, "file"), "");
  assert.deepEqual(await names(root, true), [".wh..wh..opq", "file"]);
  assert.deepEqual(await names(newLayer()), []);
});

test("attributes of the image are kept, those of the storage are not", async () => {
  const root = newLayer();
  const path = join(root, "file");
  writeFileSync(path, "", { mode: 0o700 });
  const set = (name: string, value: string) =>
    runProgram("setfattr", ["-n", name, "-v", value, path]);
  await set("user.note", "kept");
  await set("user.overlay.origin", "the storage's");
  await set("user.containers.override_stat", "1000:1000:0644");
  const stream = await read(root);
  assert.ok(stream.includes("SCHILY.xattr.user.note=kept\n"));
  assert.ok(!stream.includes("overlay.origin") && !stream.includes("override_stat"));
  assert.match((await list(stream))[0]!, /^-rw-r--r-- /);
});

test("names that are not UTF-8 survive", async () => {
  const root = newLayer();
  await runProgram(
    "sh",
    ["-c", 'mkdir "$(printf "d\\377")"; echo 1 > "$(printf "d\\377/f\\376")"'],
    {
      cwd: root,
    },
  );
  const stream = await read(root);
  assert.ok(stream.includes(Buffer.from("d\xff/f\xfe\0", "latin1")));
});

test("directories deeper than the limit are refused", async () => {
  const root = newLayer();
  mkdirSync(join(root, "d/".repeat(502)), { recursive: true });
  await assert.rejects(
    read(root),
    (error) => error instanceof DenrootError && error.code === "limit",
  );
});

function newLayer(): string {
  return mkdtempSync(join(scratch, "layer-"));
}

async function read(root: string, isWhole = false): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of readLayerTree({ type: "tree", root, isWhole })) {
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

async function names(root: string, isWhole = false): Promise<readonly string[]> {
  const { stdout } = await runProgram("tar", ["-tf", "-"], { input: await read(root, isWhole) });
  return stdout.split("\n").filter((line) => line !== "");
}

/** Gives mode, size, day and name. */
async function list(stream: Buffer): Promise<readonly string[]> {
  const { stdout } = await runProgram("tar", ["--utc", "-tvf", "-"], { input: stream });
  return stdout.split("\n").filter((line) => line !== "")
    .map((line) => line.replace(/^(\S+) \S+ +(\S+) (\S+) \S+ /, "$1 $2 $3 "));
}

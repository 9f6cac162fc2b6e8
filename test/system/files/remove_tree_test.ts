/** Removing a tree: whatever its permissions are, and nothing outside of it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { removeTree } from "../../../lib/system/files/remove_tree.ts";
import { asNobody, nobody } from "../../helpers/other_user.ts";
import { bun } from "../../helpers/denroot_command.ts";
import { project } from "../../helpers/release.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("remove-tree");
const isRoot = process.getuid!() === 0;

test("a tree goes with its files, links and pipes, and links lead nowhere", async () => {
  const root = join(scratch, "plain");
  const outside = join(scratch, "outside");
  mkdirSync(join(root, "a/b"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "kept");
  writeFileSync(join(root, "a/file"), "");
  symlinkSync(outside, join(root, "a/b/directory-link"));
  symlinkSync(join(outside, "kept"), join(root, "file-link"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  writeFileSync(Buffer.from(join(root, "\xff\n x"), "latin1"), "");
  await removeTree(root);
  assert.equal(existsSync(root), false);
  assert.equal(readFileSync(join(outside, "kept"), "utf8"), "kept");
});

test("a link in the place of the tree is refused, and its target stays", async () => {
  const target = join(scratch, "target");
  mkdirSync(join(target, "inside"), { recursive: true });
  symlinkSync(target, join(scratch, "link"));
  await assert.rejects(removeTree(join(scratch, "link")), { code: "file" });
  assert.equal(existsSync(join(target, "inside")), true);
});

test("nothing to remove is no error", async () => {
  await removeTree(join(scratch, "missing"));
});

test("directories deeper than descriptors reach are removed", async () => {
  const root = join(scratch, "deep");
  const name = "d".repeat(20);
  // No path to the innermost one is short enough for one call.
  const script = "mkdir $ARGV[0]; chdir $ARGV[0]; for (1..450) { " +
    "mkdir $ARGV[1]; chdir $ARGV[1]; open(F, '>', 'file'); }";
  execFileSync("perl", ["-e", script, root, name]);
  // Whichever comes first, another directory of the root is removed before or after the deep one.
  for (const other of ["a/b", "z/b"]) mkdirSync(join(root, other), { recursive: true });
  await removeTree(root);
  assert.equal(existsSync(root), false);
});

test("permissions do not keep an owner from removing a tree", async () => {
  const home = join(scratch, "modes");
  const root = join(home, "root");
  for (const path of ["unreadable/in", "unwritable/in", "none"]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  writeFileSync(join(root, "unwritable/in/file"), "");
  chmodSync(join(root, "unwritable/in"), 0o500);
  chmodSync(join(root, "unwritable"), 0o500);
  chmodSync(join(root, "unreadable"), 0o300);
  chmodSync(join(root, "none"), 0);
  chmodSync(root, 0o500);
  if (isRoot) {
    chmodSync(scratch, 0o755);
    execFileSync("chown", ["-R", `${nobody}:${nobody}`, home]);
  }
  const script = `import("${project}/lib/system/files/remove_tree.ts").then(
    ({ removeTree }) => removeTree("${root}"))`;
  const [command, ...args] = [...(isRoot ? asNobody : []), bun.command[0], "-e", script];
  await runProgram(command!, args);
  assert.deepEqual(readdirSync(home), []);
});

test("a mounted file system is not emptied", { skip: !isRoot }, async () => {
  const root = join(scratch, "mounted");
  mkdirSync(join(root, "mount/in"), { recursive: true });
  writeFileSync(join(root, "file"), "");
  const script = `mount -t tmpfs none "$1/mount" && echo kept > "$1/mount/kept" &&
    { "$2" -e 'import("'"$3"'").then(({ removeTree }) => removeTree("'"$1"'"))' 2>&1; cat "$1/mount/kept"; }`;
  const module = join(project, "lib/system/files/remove_tree.ts");
  const { stdout } = await runProgram("unshare", [
    "--mount",
    "sh",
    "-c",
    script,
    "sh",
    root,
    bun.command[0],
    module,
  ]);
  assert.match(stdout, /another file system is mounted on it/);
  assert.match(stdout, /^kept$/m);
  assert.equal(existsSync(join(root, "file")), false);
});

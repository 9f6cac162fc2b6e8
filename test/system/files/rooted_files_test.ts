/** Files of a root that tries to lead out of itself. */

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { hasCode } from "../../../lib/errors.ts";
import { spawnChild } from "../../../lib/system/process/spawn_child.ts";
import { rootedFiles } from "../../../lib/system/files/rooted_files.ts";
import type { RootedFiles } from "../../../lib/types/container.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("rooted");
const SECRET = "the host's secret";
let count = 0;

interface Place {
  readonly files: RootedFiles & Disposable;
  readonly root: string;
  readonly outside: string;
}

/** A root beside a directory of the host, which nothing may touch. */
async function place(make: (root: string, outside: string) => void = () => {}): Promise<Place> {
  const base = join(scratch, String(count++));
  const root = join(base, "root"), outside = join(base, "outside");
  for (const directory of [root, outside]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(outside, "shadow"), SECRET);
  make(root, outside);
  return { files: await rootedFiles(root), root, outside };
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

const bytes = (value: string) => new TextEncoder().encode(value);

test("files, links, directories and parents are made and read", async () => {
  const { files, root } = await place();
  files.write("/etc/passwd", bytes("root"), 0o640);
  assert.equal(readFileSync(join(root, "etc/passwd"), "utf8"), "root");
  assert.equal(statSync(join(root, "etc/passwd")).mode & 0o7777, 0o640);
  assert.equal(statSync(join(root, "etc")).mode & 0o7777, 0o755);
  files.write("/etc/passwd", bytes("other"), 0o4755);
  assert.equal(text(files.read("etc/passwd", 100)), "other");
  assert.equal(files.permissions("/etc/passwd"), 0o4755);
  files.makeFile("/run/a/b", 0);
  assert.equal(lstatSync(join(root, "run/a/b")).mode & 0o7777, 0);
  files.makeDirectory("/run/d", 0);
  assert.equal(lstatSync(join(root, "run/d")).mode & 0o7777, 0);
  files.makeLink("/dev/fd", "/proc/self/fd");
  assert.equal(files.readLink("/dev/fd"), "/proc/self/fd");
  assert.deepEqual(files.list("/run"), ["a", "d"]);
  assert.deepEqual(
    ["/etc", "/etc/passwd", "/dev/fd", "/nothing", "/", "/.."].map((path) => files.kind(path)),
    ["directory", "file", "symlink", undefined, "directory", "directory"],
  );
  files.remove("/etc/passwd");
  files.remove("/etc/passwd");
  assert.equal(files.kind("/etc/passwd"), undefined);
  assert.deepEqual(readdirSync(join(root, "etc")), []);
});

test("a caller's umask takes no permissions away", async () => {
  const { files, root } = await place();
  const before = process.umask(0o077);
  try {
    files.makeDirectory("/a/b", 0o755);
    files.makeFile("/a/c", 0o644);
  } finally {
    process.umask(before);
  }
  const modes = ["a", "a/b", "a/c"].map((name) => statSync(join(root, name)).mode & 0o777);
  assert.deepEqual(modes, [0o755, 0o755, 0o644]);
});

test("a link is followed inside the root, whatever it names", async () => {
  const targets = ["/outside", "../outside", "../../../../outside", "/../outside", "a/../outside"];
  for (const target of targets) {
    const { files, root, outside } = await place((root) => {
      mkdirSync(join(root, "a"));
      symlinkSync(target, join(root, "etc"));
    });
    assert.equal(files.read("/etc/shadow", 100), undefined, target);
    files.write("/etc/shadow", bytes("mine"), 0o644);
    files.makeFile("/etc/made", 0);
    files.makeDirectory("/etc/dir", 0o755);
    files.makeLink("/etc/link", "x");
    files.remove("/etc/shadow");
    assert.deepEqual(readdirSync(outside), ["shadow"], target);
    assert.equal(readFileSync(join(outside, "shadow"), "utf8"), SECRET);
    assert.deepEqual(readdirSync(join(root, "outside")).sort(), ["dir", "link", "made"]);
  }
});

test("a link to a file of the host is read as a file of the root", async () => {
  const { files, root, outside } = await place((root, outside) => {
    symlinkSync(join(outside, "shadow"), join(root, "passwd"));
  });
  assert.equal(files.read("/passwd", 100), undefined);
  assert.equal(files.hold("/passwd"), undefined);
  // What replaces the link leaves its target alone.
  files.write("/passwd", bytes("root"), 0o644);
  assert.ok(lstatSync(join(root, "passwd")).isFile());
  assert.equal(readFileSync(join(outside, "shadow"), "utf8"), SECRET);
});

test("the target of a link that leads nowhere is made inside the root", async () => {
  const { files, root, outside } = await place((root, outside) => {
    mkdirSync(join(root, "var"));
    mkdirSync(join(root, "etc"));
    symlinkSync("../run", join(root, "var/run"));
    symlinkSync("../run/resolve/stub.conf", join(root, "etc/resolv.conf"));
    symlinkSync(`${outside}/new`, join(root, "out"));
  });
  files.makeDirectory("/var/run/lock", 0o755);
  files.makeFile("/etc/resolv.conf", 0);
  files.makeFile("/out", 0);
  assert.ok(statSync(join(root, "run/lock")).isDirectory());
  assert.ok(lstatSync(join(root, "run/resolve/stub.conf")).isFile());
  assert.ok(!existsSync(join(outside, "new")));
});

test("loops of links end", async () => {
  const { files } = await place((root) => {
    symlinkSync("b", join(root, "a"));
    symlinkSync("a", join(root, "b"));
    symlinkSync("c/x", join(root, "c"));
  });
  for (const path of ["/a", "/a/x", "/c", "/c/x"]) {
    assert.equal(files.read(path, 10), undefined);
    assert.equal(files.hold(path), undefined);
    assert.throws(() => files.makeFile(path, 0), /ELOOP/);
  }
  assert.equal(files.kind("/a"), "symlink");
  assert.throws(() => files.read(`/${"x/".repeat(2100)}`, 10), /ENAMETOOLONG/);
});

test("FIFOs and devices are neither read nor opened", async () => {
  const { files, root } = await place((root) => mkdirSync(join(root, "etc")));
  await runProgram("sh", ["-c", "mkfifo etc/passwd; mknod zero c 1 5 || ln -s etc/passwd zero"], {
    cwd: root,
  });
  for (const path of ["/etc/passwd", "/zero"]) {
    assert.equal(files.read(path, 10), undefined);
    assert.equal(files.kind("/etc/passwd"), "other");
    assert.equal(files.permissions(path) !== undefined, true);
    files.makeFile(path, 0);
  }
  files.write("/etc/passwd", bytes("x"), 0o644);
  assert.equal(text(files.read("/etc/passwd", 10)), "x");
});

test("a longer file is refused, and a directory is not replaced", async () => {
  const { files, root } = await place((root) => {
    writeFileSync(join(root, "long"), "x".repeat(11));
    mkdirSync(join(root, "dir"));
  });
  assert.throws(() => files.read("/long", 10), (error) => hasCode(error, "limit"));
  assert.equal(files.read("/long", 11)!.length, 11);
  assert.equal(files.read("/dir", 10), undefined);
  for (const path of ["/dir", "/"]) {
    assert.throws(() => files.write(path, bytes("x"), 0o644), /EISDIR/);
    assert.throws(() => files.makeLink(path, "x"), /EISDIR/);
  }
  assert.throws(() => files.makeDirectory("/long", 0o755), /EEXIST/);
  assert.throws(() => files.remove("/dir"), /EISDIR/);
  assert.deepEqual(readdirSync(root).sort(), ["dir", "long"]);
});

test("what a killed process left unfinished is replaced", async () => {
  const { files, root, outside } = await place((root, outside) => {
    symlinkSync(join(outside, "shadow"), join(root, ".denroot-new"));
  });
  files.write("/file", bytes("x"), 0o644);
  assert.deepEqual(readdirSync(root), ["file"]);
  assert.equal(readFileSync(join(outside, "shadow"), "utf8"), SECRET);
});

test("what is held stays the same when its name changes", async () => {
  const { files, root } = await place((root) => mkdirSync(join(root, "dir")));
  using held = files.hold("/dir")!;
  assert.ok(held.isDirectory);
  await runProgram("sh", ["-c", "mv dir other; ln -s /etc dir"], { cwd: root });
  // The link at the held path is not text: a process that reads it sees the new name.
  assert.equal(realpathSync(readlinkSync(held.path)), realpathSync(join(root, "other")));
});

test("links of /proc do not lead out of a root that has /proc", async () => {
  const files = await rootedFiles("/");
  assert.equal(files.kind("/proc/self/root"), "symlink");
  const { files: inner } = await place((root, outside) => {
    symlinkSync("/proc", join(root, "p"));
    symlinkSync(`/proc/self/cwd/${outside}/shadow`, join(root, "q"));
  });
  assert.equal(inner.read("/p/self/cwd/etc/passwd", 1e6), undefined);
  assert.equal(inner.read("/q", 1e6), undefined);
  // A descriptor's link has a text, and only that text counts.
  using etc = files.hold("/etc")!;
  assert.equal(files.kind(`${etc.path}/passwd`), "file");
});

test("somebody who swaps directories and links all the time gains nothing", async () => {
  const { files, root, outside } = await place((root, outside) => {
    mkdirSync(join(root, "real"));
    writeFileSync(join(root, "real/shadow"), "mine");
    symlinkSync(outside, join(root, "link"));
    symlinkSync("../outside", join(root, "link2"));
    mkdirSync(join(root, "spin"));
  });
  const script = "while :; do mv -T spin real2; mv -T link spin; mv -T spin link; " +
    "mv -T link2 spin; mv -T spin link2; mv -T real2 spin; done";
  const swapper = spawnChild("sh", ["-c", `cd "$0"; ${script}`, root]);
  let hits = 0;
  const until = performance.now() + 1500;
  while (performance.now() < until) {
    try {
      assert.equal(files.read("/spin/shadow", 100), undefined);
      files.write("/spin/sub/new", bytes("x"), 0o644);
      using held = files.hold("/spin/sub");
      if (held !== undefined) assert.ok(readlinkSync(held.path).startsWith(root));
      hits++;
    } catch (error) {
      assert.ok(hasCode(error, "file"), String(error));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await swapper.end();
  assert.ok(hits > 0);
  assert.deepEqual(readdirSync(outside), ["shadow"]);
});

/** Paths: cleaned names, whiteouts, and symlinks followed inside the root. */

import assert from "node:assert/strict";
import test from "node:test";
import { baseName, cleanPath, join, parentOf, PathError } from "../../lib/merge/clean_path.ts";
import { type Found, resolveInRoot } from "../../lib/merge/resolve_in_root.ts";
import { parseWhiteout, type Whiteout } from "../../lib/merge/whiteout.ts";

const long = "n".repeat(255);

const paths: readonly [path: string, clean: string | undefined][] = [
  ["a", "a"],
  ["a/b/c", "a/b/c"],
  ["", ""],
  [".", ""],
  ["./", ""],
  ["/", ""],
  ["//", ""],
  ["./a", "a"],
  ["/a", "a"],
  ["//a//b//", "a/b"],
  ["a/", "a"],
  ["a/.", "a"],
  ["a/./b", "a/b"],
  ["a/../b", "b"],
  ["a/b/..", "a"],
  ["a/..", ""],
  ["..a", "..a"],
  ["a..", "a.."],
  ["...", "..."],
  [".a/..b/c.", ".a/..b/c."],
  ["a b\n\xff", "a b\n\xff"],
  [long, long],
  [`${long}/${long}`, `${long}/${long}`],
  [`/${long}/`, long],
  ["..", undefined],
  ["../a", undefined],
  ["/..", undefined],
  ["/../a", undefined],
  ["./../a", undefined],
  ["a/../..", undefined],
  ["a/../../b", undefined],
  [`${long}n`, undefined],
  [`a/${long}n/b`, undefined],
  ["d/".repeat(2047) + "f", "d/".repeat(2047) + "f"],
  ["d/".repeat(2047) + "ff", undefined],
  ["./" + "d/".repeat(2047) + "f/", "d/".repeat(2047) + "f"],
];
for (const [path, clean] of paths) {
  const shown = JSON.stringify(path.length > 40 ? `${path.slice(0, 40)}...` : path);
  test(`the path ${shown} (${path.length}) is ${clean === undefined ? "refused" : "cleaned"}`, () => {
    if (clean === undefined) assert.throws(() => cleanPath(path), PathError);
    else assert.equal(cleanPath(path), clean);
  });
}

test("a path of a thousand levels is accepted", () => {
  const path = "d/".repeat(999) + "f";
  assert.equal(cleanPath(path), path);
});

test("an error does not print a long path in full", () => {
  for (const path of ["x".repeat(100_000), "x/".repeat(50_000), `${"x/../".repeat(9999)}..`]) {
    const isShort = (error: Error) => /'x[x/.]{79}\.\.\.'/.test(error.message);
    assert.throws(() => cleanPath(path), isShort);
  }
});

test("a path consists of its parent and its name", () => {
  for (const path of ["a", "a/b", "a/b/c"]) {
    assert.equal(join(parentOf(path), baseName(path)), path);
  }
  assert.deepEqual([parentOf("a"), baseName("a")], ["", "a"]);
  assert.deepEqual([parentOf("a/b/c"), baseName("a/b/c")], ["a/b", "c"]);
});

const aufs: Whiteout = { kind: "aufs" };
const whiteouts: readonly [path: string, whiteout: Whiteout | undefined][] = [
  ["a", undefined],
  ["a/b.wh.c", undefined],
  ["a/x.wh.", undefined],
  ["a/wh.b", undefined],
  ["a/.wh", undefined],
  ["a/.whb", undefined],
  ["a/.wh.b/c", undefined],
  [".wh.a", { kind: "path", path: "a" }],
  ["a/.wh.b", { kind: "path", path: "a/b" }],
  ["a/.wh.b c\xff", { kind: "path", path: "a/b c\xff" }],
  ["a/.wh...b", { kind: "path", path: "a/..b" }],
  ["a/.wh....", { kind: "path", path: "a/..." }],
  ["a/.wh.wh.b", { kind: "path", path: "a/wh.b" }],
  ["a/.wh.b/.wh.c", { kind: "path", path: "a/.wh.b/c" }],
  [".wh..wh..opq", { kind: "opaque", path: "" }],
  ["a/b/.wh..wh..opq", { kind: "opaque", path: "a/b" }],
  [".wh..wh.plnk", aufs],
  [".wh..wh.plnk/1234.5", aufs],
  [".wh..wh.orph", aufs],
  [".wh..wh.aufs", aufs],
  ["a/.wh..wh.plnk", aufs],
  ["a/.wh..wh..opq.b", aufs],
  ["a/.wh..wh..op", aufs],
];
for (const [path, whiteout] of whiteouts) {
  const meaning = whiteout === undefined
    ? "no whiteout"
    : whiteout.kind === "aufs"
    ? "passed over"
    : `${whiteout.kind} of ${JSON.stringify(whiteout.path)}`;
  test(`${JSON.stringify(path)} is ${meaning}`, () => {
    assert.deepEqual(parseWhiteout(path), whiteout);
  });
}

for (const path of [".wh.", "a/.wh.", "a/.wh..", "a/.wh..."]) {
  test(`the whiteout ${JSON.stringify(path)}, which names no file, is refused`, () => {
    assert.throws(() => parseWhiteout(path), { name: "PathError", message: /names no file/ });
  });
}

const tree: Readonly<Record<string, string | true>> = {
  "usr": true,
  "usr/lib": true,
  "usr/lib/x": true,
  "usr/etc": true,
  "lib": "usr/lib",
  "etc": "/usr/etc",
  "up": "../../../usr",
  "usr/lib/back": "../../lib",
  "usr/self": ".",
  "chain1": "chain2",
  "chain2": "/chain3/",
  "chain3": "usr",
  "loop1": "loop2",
  "loop2": "loop1",
  "own": "own/x",
  "dangling": "gone/away",
  "empty": "",
  "root": "/",
};

const lookup = (path: string): Found => {
  const found = tree[path];
  if (found === undefined) return { kind: "absent" };
  return found === true ? { kind: "directory" } : { kind: "symlink", target: found };
};

const resolutions: readonly [path: string, target: string][] = [
  ["", ""],
  ["usr/lib/x", "usr/lib/x"],
  ["absent/deep", "absent/deep"],
  ["lib/x", "usr/lib/x"],
  ["lib", "usr/lib"],
  ["etc/rc", "usr/etc/rc"],
  ["etc", "usr/etc"],
  ["up/lib/x", "usr/lib/x"],
  ["usr/lib/back/back/back/x", "usr/lib/x"],
  ["usr/self/self/lib", "usr/lib"],
  ["chain1/lib", "usr/lib"],
  ["dangling/file", "gone/away/file"],
  ["empty/usr", "usr"],
  ["root/usr/lib", "usr/lib"],
  ["usr/../lib/../etc", "usr/etc"],
  ["../../usr", "usr"],
  ["usr/./lib//x", "usr/lib/x"],
];
for (const [path, target] of resolutions) {
  test(`${JSON.stringify(path)} leads to ${JSON.stringify(target)} inside the root`, () => {
    assert.equal(resolveInRoot(lookup, path), target);
  });
}

for (const path of ["loop1", "loop2/x", "own/y"]) {
  test(`${JSON.stringify(path)} is a loop, which is an error that names it`, () => {
    assert.throws(() => resolveInRoot(lookup, path), {
      name: "PathError",
      message: new RegExp(path),
    });
  });
}

test("forty symlinks are followed, as the kernel does, and no more", () => {
  const chain = (path: string): Found => {
    const left = Number(path.slice("link".length));
    return left === 0 ? { kind: "directory" } : { kind: "symlink", target: `link${left - 1}` };
  };
  assert.equal(resolveInRoot(chain, "link40"), "link0");
  assert.throws(() => resolveInRoot(chain, "link41"), {
    name: "PathError",
    message: /'link41' leads through too many symlinks$/,
  });
});

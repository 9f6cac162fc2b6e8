/** Cases on which engines fail: both ways of merging must get them right. */

import assert from "node:assert/strict";
import test from "node:test";
import { PathError } from "../../lib/merge/clean_path.ts";
import {
  dir,
  type Draft,
  file,
  link,
  type Listing,
  opaque,
  plan,
  type Stack,
  stream,
  symlink,
  whiteout,
} from "./run_merge.ts";

interface MergeCase {
  readonly title: string;
  readonly layers: Stack;
  readonly result: Listing;
  /** Streaming cannot know the result, and must give up. */
  readonly needsPlan?: true;
}

const cases: readonly MergeCase[] = [
  {
    title: "a link keeps its bytes when a higher layer replaces its target",
    layers: [[file("a"), link("b", "a")], [file("a")]],
    result: { a: "file 1:0", b: "file 0:0" },
  },
  {
    title: "a link keeps its bytes when a higher layer removes its target",
    layers: [[file("a"), link("b", "a")], [whiteout("a")]],
    result: { b: "file 0:0" },
  },
  {
    title: "when one of three names is replaced, the others stay one file",
    layers: [[file("a"), link("b", "a"), link("c", "a")], [file("a")]],
    result: { a: "file 1:0", b: "file 0:0", c: "file 0:0" },
  },
  {
    title: "a chain of links whose middle is removed stays one file",
    layers: [[file("a"), link("b", "a"), link("c", "b")], [whiteout("b")]],
    result: { a: "file 0:0", c: "file 0:0" },
  },
  {
    title: "a link to a file of a lower layer shares its content",
    layers: [[file("a")], [link("b", "a")]],
    result: { a: "file 0:0", b: "file 0:0" },
    needsPlan: true,
  },
  {
    title: "a link to a file that the same layer replaces afterwards has the old content",
    layers: [[file("a")], [link("b", "a"), file("a")]],
    result: { a: "file 1:1", b: "file 0:0" },
    needsPlan: true,
  },
  {
    title: "a link to a symlink is that symlink",
    layers: [[symlink("a", "target"), link("b", "a")]],
    result: { a: "symlink 0:0 target", b: "symlink 0:0 target" },
  },
  {
    title: "a link to an absolute path stays inside the root",
    layers: [[file("a"), link("b", "/a"), link("c", "./a")]],
    result: { a: "file 0:0", b: "file 0:0", c: "file 0:0" },
  },
  {
    title: "an opaque directory hides what lower layers have, and not what its own layer has",
    layers: [[dir("d"), file("d/old")], [
      dir("d", 0o700),
      file("d/new"),
      opaque("d"),
      file("d/late"),
    ]],
    result: { d: "directory 700", "d/late": "file 1:3", "d/new": "file 1:1" },
  },
  {
    title: "an opaque directory that comes first hides the same",
    layers: [[dir("d"), file("d/old")], [opaque("d"), file("d/new")]],
    result: { d: "directory 755", "d/new": "file 1:1" },
  },
  {
    title: "an opaque root hides all lower layers",
    layers: [[file("a"), dir("d"), file("d/b")], [file(".wh..wh..opq"), file("c")]],
    result: { c: "file 1:1" },
  },
  {
    title: "a removed directory that is made again has only the new children",
    layers: [[dir("d"), file("d/old")], [whiteout("d")], [dir("d", 0o700), file("d/new")]],
    result: { d: "directory 700", "d/new": "file 2:1" },
  },
  {
    title: "a directory removed and made again in one layer has only the new children",
    layers: [[dir("d"), file("d/old")], [whiteout("d"), dir("d", 0o700), file("d/new")]],
    result: { d: "directory 700", "d/new": "file 1:2" },
  },
  {
    title: "a directory made again before its whiteout has only the new children",
    layers: [[dir("d"), file("d/old")], [dir("d", 0o700), file("d/new"), whiteout("d")]],
    result: { d: "directory 700", "d/new": "file 1:1" },
  },
  {
    title: "whiteouts in a single layer do not appear in the image, nor do the files of aufs",
    layers: [[file("a"), whiteout("b"), opaque("d"), file(".wh..wh.plnk"), file(".wh..wh.aufs")]],
    result: { a: "file 0:0" },
  },
  {
    title: "a whiteout beside a file of the same name leaves the file, in either order",
    layers: [[file("a"), file("b")], [whiteout("a"), file("a"), file("b"), whiteout("b")]],
    result: { a: "file 1:1", b: "file 1:2" },
  },
  {
    title: "a whiteout below a removed directory changes nothing",
    layers: [[dir("a"), file("a/b"), file("a/c")], [whiteout("a"), whiteout("a/b")]],
    result: {},
  },
  {
    title: "a whiteout does not make its parents",
    layers: [[file("x")], [whiteout("not/there")]],
    result: { x: "file 0:0" },
  },
  {
    title: "a whiteout may be of any type",
    layers: [[file("a"), file("b"), file("c"), file("k")], [
      link(".wh.a", "x"),
      symlink(".wh.b", "x"),
      dir(".wh.c"),
    ]],
    result: { k: "file 0:3" },
  },
  {
    title: "a name that only looks like a whiteout stays",
    layers: [[file("a"), file("wh.a"), file("b.wh.c")], [file(".wh"), file("x.wh.a")]],
    result: {
      ".wh": "file 1:0",
      a: "file 0:0",
      "b.wh.c": "file 0:2",
      "wh.a": "file 0:1",
      "x.wh.a": "file 1:1",
    },
  },
  {
    title: "an opaque directory over a symlink keeps what the symlink leads to",
    layers: [[dir("d"), file("d/f"), symlink("l", "d")], [dir("l"), opaque("l"), file("l/new")]],
    result: { d: "directory 755", "d/f": "file 0:1", l: "directory 755", "l/new": "file 1:2" },
  },
  {
    title: "a file takes a directory's place, and a directory a file's",
    layers: [[dir("d"), file("d/f"), file("e")], [file("d"), dir("e"), file("e/f")]],
    result: { d: "file 1:0", e: "directory 755", "e/f": "file 1:2" },
  },
  {
    title: "a symlink takes a directory's place with its children",
    layers: [[dir("d"), file("d/f"), dir("t")], [symlink("d", "t")]],
    result: { d: "symlink 1:0 t", t: "directory 755" },
  },
  {
    title: "a directory takes a symlink's place",
    layers: [[dir("t"), file("t/f"), symlink("d", "t")], [dir("d"), file("d/g")]],
    result: { d: "directory 755", "d/g": "file 1:1", t: "directory 755", "t/f": "file 0:1" },
  },
  {
    title: "an entry without its parents goes where a lower layer's symlink leads",
    layers: [[dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib")], [file("lib/new")]],
    result: {
      lib: "symlink 0:2 usr/lib",
      usr: "directory 755",
      "usr/lib": "directory 755",
      "usr/lib/new": "file 1:0",
    },
    needsPlan: true,
  },
  {
    title: "a whiteout goes where a lower layer's symlink leads",
    layers: [[dir("t"), file("t/f"), file("t/g"), symlink("l", "t")], [whiteout("l/f")]],
    result: { l: "symlink 0:3 t", t: "directory 755", "t/g": "file 0:2" },
    needsPlan: true,
  },
  {
    title: "parents that no layer describes are made",
    layers: [[file("a/b/c")]],
    result: { a: "directory implied", "a/b": "directory implied", "a/b/c": "file 0:0" },
  },
  {
    title: "parents that only a lower layer describes keep that description",
    layers: [[dir("a", 0o700), dir("a/b", 0o711)], [file("a/b/c")]],
    result: { a: "directory 700", "a/b": "directory 711", "a/b/c": "file 1:0" },
  },
  {
    title: "a parent's entry may come after its children",
    layers: [[file("a/b/c"), dir("a/b", 0o700), dir("a", 0o711)]],
    result: { a: "directory 711", "a/b": "directory 700", "a/b/c": "file 0:0" },
  },
  {
    title: "the highest layer that describes a directory counts",
    layers: [[dir("d", 0o700), file("d/a")], [dir("d", 0o711), file("d/b")], [dir("d", 0o755)]],
    result: { d: "directory 755", "d/a": "file 0:1", "d/b": "file 1:1" },
  },
  {
    title: "when a path comes twice in a layer, the last entry counts",
    layers: [[file("a"), file("a")]],
    result: { a: "file 0:1" },
    needsPlan: true,
  },
  {
    title: "when a path comes twice in a layer and a higher layer hides it, neither counts",
    layers: [[file("a"), file("a")], [file("a")]],
    result: { a: "file 1:0" },
    needsPlan: true,
  },
  {
    title: "paths are cleaned before they are compared",
    layers: [[file("./a"), file("/b"), file("d//c"), file("d/./e")], [
      file("a"),
      whiteout("./b"),
      file("/d/../d/c"),
    ]],
    result: { a: "file 1:0", d: "directory implied", "d/c": "file 1:2", "d/e": "file 0:3" },
  },
  {
    title: "everything below dev is left out, but dev stays",
    layers: [[dir("dev", 0o700), file("dev/null"), dir("dev/pts"), file("device")], [
      file("dev/x"),
    ]],
    result: { dev: "directory 700", device: "file 0:3" },
  },
  {
    title: "a file that is removed and written several times is the last one",
    layers: [[file("a")], [whiteout("a")], [file("a")], [whiteout("a")], [file("a")]],
    result: { a: "file 4:0" },
  },
  {
    title: "two hundred layers that write into one directory are merged",
    layers: Array.from({ length: 200 }, (_, at) => [dir("d"), file("d/same"), file(`d/${at}`)]),
    result: Object.fromEntries([
      ["d", "directory 755"],
      ["d/same", "file 199:1"],
      ...Array.from({ length: 200 }, (_, at) => [`d/${at}`, `file ${at}:2`]),
    ]),
  },
  {
    title: "a path of a thousand levels is merged",
    layers: [[file("d/".repeat(999) + "f")], [file("d/".repeat(999) + "g")]],
    result: Object.fromEntries([
      ...Array.from({ length: 999 }, (_, at) => ["d/".repeat(at) + "d", "directory implied"]),
      ["d/".repeat(999) + "f", "file 0:0"],
      ["d/".repeat(999) + "g", "file 1:0"],
    ]),
  },
];

for (const { title, layers, result, needsPlan } of cases) {
  test(title, () => {
    assert.deepEqual(plan(layers), result, "by a plan");
    const streamed = stream(layers);
    if (needsPlan) assert.equal(streamed, undefined, "streaming must give up");
    else assert.deepEqual(streamed, result, "by streaming");
  });
}

const refused: readonly [title: string, message: RegExp, layer: readonly Draft[]][] = [
  ["a link to nothing", /hard link 'b' leads to 'gone'/, [link("b", "gone")]],
  ["a link to a later entry", /hard link 'b' leads to 'a'/, [link("b", "a"), file("a")]],
  ["a link to a directory", /directory 'd'/, [dir("d"), link("b", "d")]],
  ["a link to itself", /hard link 'b'/, [link("b", "b")]],
  ["a link that leads out of the root", /leads out/, [link("b", "../a")]],
  ["a path that leads out of the root", /leads out/, [file("../a")]],
  ["a whiteout of nothing", /names no file/, [file("d/.wh.")]],
  ["a whiteout of its own directory", /names no file/, [file("d/.wh..")]],
  ["an entry below a file of the same layer", /'a' has entries below it/, [file("a"), file("a/b")]],
  ["a symlink without a target", /symlink 'd\/s' has no target/, [symlink("d/s", "")]],
  ["a symlink of 4096 bytes", /symlink 's' has more than 4095/, [symlink("s", "t".repeat(4096))]],
  ["a root that is a file", /is not a directory/, [file("./")]],
];
for (const [title, message, layer] of refused) {
  test(`${title} is refused`, () => {
    assert.match(String(plan([[file("base")], layer])), message);
    try {
      assert.equal(stream([[file("base")], layer]), undefined, "streaming must give up");
    } catch (error) {
      assert.ok(error instanceof PathError && message.test(error.message), String(error));
    }
  });
}

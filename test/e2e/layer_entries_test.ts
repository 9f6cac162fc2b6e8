/** Odd entries: parents, doubles, path forms, long names, devices. */

import assert from "node:assert/strict";
import { useDenroot } from "../helpers/denroot_command.ts";
import { type LayerCase, testLayerCases } from "../helpers/layer_case.ts";
import {
  directory,
  file,
  globalHeader,
  link,
  node,
  symlink,
  tarArchive,
} from "../helpers/tar_fixture.ts";

const latin = (text: string) => Buffer.from(text, "latin1");
const longName = "n".repeat(255);
const deepPath = Array.from({ length: 1000 }, () => "d").join("/");
const longPath = Array.from({ length: 16 }, (_, index) => `${index}`.padStart(250, "p")).join("/");

const cases: readonly LayerCase[] = [
  {
    title: "parents that no layer has an entry for are made, root's and 0755",
    layers: [[file("a/b/c/d", "1")]],
    holds: { "a/b/c/d": "1", "a/b": "directory" },
    check: (tree) => assert.equal(tree.get("a/b")!.mode, 0o755),
  },
  {
    title: "a parent's entry may come after its children",
    layers: [[
      file("a/b/c", "1"),
      directory("a/b", { mode: 0o711 }),
      directory("a", { mode: 0o750 }),
    ]],
    holds: { "a/b/c": "1" },
    check: (tree) => assert.deepEqual([tree.get("a")!.mode, tree.get("a/b")!.mode], [0o750, 0o711]),
  },
  {
    title: "the highest layer's entry of a directory gives its mode, owner, time and xattrs",
    layers: [
      [
        directory("d", { mode: 0o700, mtime: 1_400_000_000, xattrs: { "user.a": "1" } }),
        file("d/1"),
      ],
      [directory("d", { mode: 0o1777, mtime: 1_500_000_000, xattrs: { "user.b": "2" } })],
      [file("d/3")],
    ],
    umoci: false, // It adds up the xattrs of all layers, which no storage driver does.
    check: (tree) => {
      const { mode, mtime, xattrs } = tree.get("d")!;
      assert.deepEqual([mode, mtime, xattrs], [0o1777, 1_500_000_000, { "user.b": "32" }]);
    },
  },
  {
    title: "a higher layer without a directory's entry leaves its metadata as they were",
    layers: [
      [directory("d", { mode: 0o700, mtime: 1_400_000_000 }), file("d/1", "1")],
      [file("d/2", "2")],
    ],
    holds: { "d/1": "1", "d/2": "2" },
    check: (tree) => assert.equal(tree.get("d")!.mode, 0o700),
  },
  {
    title: "the last of two entries of one path in a layer wins",
    layers: [[
      file("a", "first"),
      file("b", "1"),
      file("a", "second, longer"),
      symlink("b", "a"),
      directory("c", { mode: 0o700 }),
      file("c/x", "2"),
      directory("c", { mode: 0o755 }),
    ]],
    holds: { a: "second, longer", b: "-> a", "c/x": "2" },
  },
  {
    title: "a path that comes as a directory with children and then as a file is the file",
    layers: [[directory("x"), file("x/y", "1"), file("x", "2")]],
    umoci: false, // It gives up: the directory is not empty.
    holds: { x: "2", "x/y": null },
  },
  {
    title: "a path that comes as a file and then has children is a directory",
    layers: [[file("x", "1"), directory("x"), file("x/y", "2")]],
    holds: { x: "directory", "x/y": "2" },
  },
  {
    title: "an entry below a file of its own layer is an error that names the layer",
    layers: [[file("ok")], [file("x", "1"), file("x/y", "2")]],
    fails: /layer 2[\s\S]*x/i,
  },
  {
    title: "leading dots and slashes, doubled slashes and inner dots name the same path",
    layers: [[
      directory("./"),
      directory("./a/"),
      file("./a/1", "1"),
      file("/a/2", "2"),
      file("a//3", "3"),
      file("a/./4", "4"),
      file("././a/5", "5"),
      directory("b/."),
    ]],
    holds: { "a/1": "1", "a/2": "2", "a/3": "3", "a/4": "4", "a/5": "5", b: "directory" },
  },
  {
    title: "the same path in two spellings is one path",
    layers: [[file("./a/b", "1")], [file("/a//b", "2")], [file("a/./.wh.b")]],
    holds: { "a/b": null },
  },
  {
    title: "an entry for the root gives the root's metadata and is no entry",
    layers: [[directory("./", { mode: 0o711, mtime: 1_500_000_000 }), file("a", "1")]],
    holds: { a: "1" },
    check: (tree) => assert.equal(tree.get("")!.mode, 0o711),
  },
  {
    title: "a path that climbs out is refused",
    layers: [[file("ok", "1")], [file("a/../../../climbed", "1")]],
    fails: /layer 2[\s\S]*climbed/i,
  },
  {
    title: "a path that climbs no further than the root names what is there",
    layers: [[directory("a"), file("a/../b", "1"), file("a/c/../d", "2")]],
    holds: { b: "1", "a/d": "2" },
  },
  {
    title: "names of 255 bytes, in all ways a tar can tell them",
    layers: [[
      file(`pax/${longName}`, "1"),
      file(`gnu/${longName}`, "2", { longNames: "gnu" }),
      file("name", "3", { prefix: `ustar/${"p".repeat(140)}` }),
      symlink(`paxlink/${longName}`, longName),
      symlink(`gnulink/${longName}`, `../${longName}`, { longNames: "gnu" }),
      link(`hard/${longName}`, `pax/${longName}`),
      link(`hardgnu/${longName}`, `gnu/${longName}`, { longNames: "gnu" }),
    ]],
    holds: {
      [`pax/${longName}`]: "1",
      [`gnu/${longName}`]: "2",
      [`ustar/${"p".repeat(140)}/name`]: "3",
      [`paxlink/${longName}`]: `-> ${longName}`,
      [`gnulink/${longName}`]: `-> ../${longName}`,
    },
    linked: [[`pax/${longName}`, `hard/${longName}`], [`gnu/${longName}`, `hardgnu/${longName}`]],
  },
  {
    title: "names that are no UTF-8 survive byte for byte",
    layers: [[
      file(latin("caf\xe9"), "1"),
      file(latin(`\xff\xfe/${"\x80".repeat(150)}`), "2"),
      file(latin(`gnu\xe9${"\x81".repeat(150)}`), "3", { longNames: "gnu" }),
      symlink(latin("l\xe9"), latin("caf\xe9")),
      link(latin("h\xe9"), latin("caf\xe9")),
      file("ünïcödé-日本語", "4"),
      file("space and\ttab and\nnewline and \\ and ' and \"", "5"),
    ]],
    holds: { "caf\xe9": "1", "l\xe9": "-> caf\xe9" },
  },
  {
    title: "a path of nearly 4 KiB",
    layers: [[file(longPath, "1")]],
    holds: { [longPath]: "1" },
  },
  {
    title: "a path of more than 4 KiB is refused with its start and its layer",
    layers: [[file("a", "1")], [file(`${longPath}/${longPath}`, "2")]],
    fails: /Layer 2\/2 \(sha256:\w+\): The path 'p{80}\.\.\.' has more than 4095 bytes/,
  },
  {
    title: "a thousand directories in each other",
    layers: [[file(`${deepPath}/f`, "1")], [file(`${deepPath}/g`, "2")]],
    holds: { [`${deepPath}/f`]: "1", [`${deepPath}/g`]: "2" },
    check: (tree) => {
      const directories = [...tree.values()].filter(({ type }) => type === "directory");
      // The root, etc and .enroot are the others.
      assert.equal(directories.length, 1000 + 3);
    },
  },
  {
    title: "global headers, old headers and base-256 numbers",
    layers: [
      tarArchive([
        globalHeader([["comment", "a commit"]]),
        file("v7", "1", { magic: "v7" }),
        file("gnu", "2", { magic: "gnu" }),
        file("numbers", "3", { base256: true, mtime: 1_500_000_000, uid: 70_000, gid: 70_000 }),
        file("signed", "4", { checksum: "signed", uname: "\u00e4\u00f6" }),
        file("contiguous", "5", { flag: "7" }),
        file("nul-flag", "6", { flag: "\0" }),
      ]),
    ].map((tar) => ({ tar })),
    umoci: false, // Go refuses some of the old forms; GNU tar takes all.
    holds: { v7: "1", gnu: "2", numbers: "3", signed: "4", contiguous: "5", "nul-flag": "6" },
    check: (tree) => assert.equal(tree.get("numbers")!.mtime, 1_500_000_000),
  },
  {
    title: "sparse files of all four formats are as they were",
    layers: [(["gnu", "0.0", "0.1", "1.0"] as const).map((format) =>
      file(`sparse-${format}`, "", {
        sparse: {
          format,
          size: 200_000,
          chunks: [[0, "start"], [70_000, "middle"], ...thirtyMore(), [199_990, "end"]],
        },
      })
    )],
    umoci: false, // It knows none of the old formats.
    holds: Object.fromEntries(
      ["gnu", "0.0", "0.1", "1.0"].map((format) => [`sparse-${format}`, sparseContent()]),
    ),
  },
  {
    title: "devices and fifos stay, everything below dev is left out",
    layers: [[
      node("null", "3", [1, 3]),
      node("disk", "4", [259, 500_000]),
      node("fifo", "6"),
      directory("dev"),
      node("dev/null", "3", [1, 3]),
      file("dev/shm/x", "1"),
      link("hard", "dev/shm/x"),
      file("deve", "2"),
      file("usr/dev/stays", "3"),
    ]],
    umoci: false, // It knows nothing of enroot's rule.
    holds: {
      null: "char",
      disk: "block",
      fifo: "fifo",
      dev: "directory",
      "dev/null": null,
      "dev/shm": null,
      hard: "1",
      deve: "2",
      "usr/dev/stays": "3",
    },
    check: (tree) => assert.equal(tree.get("disk")!.device, "259:500000"),
  },
  {
    title: "a directory of 20,000 entries",
    layers: [[
      directory("many"),
      ...Array.from({ length: 20_000 }, (_, index) => file(`many/file-${index}`, `${index}`)),
    ]],
    umoci: false, // Slow; the count and one file tell enough.
    holds: { "many/file-19999": "19999" },
    check: (tree) => {
      const count = [...tree.keys()].filter((path) => path.startsWith("many/")).length;
      assert.equal(count, 20_000);
    },
  },
  {
    title: "140 layers, each with a file, a change and a whiteout",
    layers: Array.from({ length: 140 }, (_, index) => [
      file(`only-${index}`, `${index}`),
      file("changed", `${index}`),
      file(`gone-${index}`, "x"),
      ...(index > 0 ? [file(`.wh.gone-${index - 1}`)] : []),
    ]),
    holds: { "only-0": "0", changed: "139", "gone-0": null, "gone-139": "x" },
  },
  {
    title: "an image without any layer is an empty root with enroot's own files",
    layers: [],
    umoci: false,
    holds: { etc: "directory" },
  },
];

function thirtyMore(): [number, string][] {
  return Array.from({ length: 30 }, (_, index) => [80_000 + index * 1000, `chunk ${index}`]);
}

function sparseContent(): string {
  const bytes = Buffer.alloc(200_000);
  const chunks = [[0, "start"], [70_000, "middle"], ...thirtyMore(), [199_990, "end"]] as const;
  for (const [offset, text] of chunks) bytes.write(text, offset, "latin1");
  return bytes.toString("latin1");
}

const denroot = useDenroot();
testLayerCases(() => denroot, cases);

/** Hard links within layers and across them. */

import { useDenroot } from "../helpers/denroot_command.ts";
import { type LayerCase, testLayerCases } from "../helpers/layer_case.ts";
import { directory, file, link, node, symlink, whiteout } from "../helpers/tar_fixture.ts";

const cases: readonly LayerCase[] = [
  {
    title: "a hard link keeps the bytes of a target that a higher layer deletes",
    layers: [[file("a", "bytes"), link("b", "a")], [whiteout("a")]],
    holds: { a: null, b: "bytes" },
  },
  {
    title: "a hard link keeps the bytes of a target that a higher layer replaces",
    layers: [[file("a", "old"), link("b", "a")], [file("a", "new")]],
    holds: { a: "new", b: "old" },
  },
  {
    title: "three names of one inode stay two when a higher layer overwrites the first",
    layers: [[file("a", "1"), link("b", "a"), link("c", "a")], [file("a", "2")]],
    holds: { a: "2", b: "1", c: "1" },
    linked: [["b", "c"]],
  },
  {
    title: "three names of one inode stay two when a higher layer overwrites the second",
    layers: [[file("a", "1"), link("b", "a"), link("c", "a")], [file("b", "2")]],
    holds: { a: "1", b: "2", c: "1" },
    linked: [["a", "c"]],
  },
  {
    title: "links to hidden targets in many layers each keep their own layer's bytes",
    layers: [
      [file("a", "1"), link("one", "a")],
      [file("a", "2"), link("two", "a")],
      [file("a", "3"), link("three", "a"), link("four", "three")],
      [whiteout("a")],
    ],
    holds: { a: null, one: "1", two: "2", three: "3", four: "3" },
    linked: [["three", "four"]],
  },
  {
    title: "a hidden target in a directory that a higher layer removes lends its bytes",
    layers: [
      [directory("d"), file("d/a", "1"), link("b", "d/a"), link("c", "d/a")],
      [whiteout("d")],
    ],
    holds: { d: null, b: "1", c: "1" },
    linked: [["b", "c"]],
  },
  {
    title: "a hard link reaches a path of a lower layer",
    layers: [[file("a", "lower")], [link("b", "a")]],
    holds: { a: "lower", b: "lower" },
    linked: [["a", "b"]],
  },
  {
    title: "a hard link into a lower layer keeps its bytes when the target goes",
    layers: [[file("a", "lower")], [link("b", "a")], [whiteout("a")]],
    holds: { a: null, b: "lower" },
  },
  {
    title: "a hard link into a lower layer and a later replacement of its target",
    layers: [[file("a", "lower"), link("x", "a")], [link("b", "a")], [file("a", "new")]],
    holds: { a: "new", b: "lower", x: "lower" },
    linked: [["b", "x"]],
  },
  {
    title: "a hard link into the second layer below, past one that has nothing of it",
    layers: [[file("d/a", "1")], [file("other", "2")], [link("b", "d/a")]],
    holds: { b: "1" },
    linked: [["b", "d/a"]],
  },
  {
    title: "a hard link to a hard link shares the inode of the file",
    layers: [[file("a", "1"), link("b", "a"), link("c", "b")]],
    linked: [["a", "b", "c"]],
  },
  {
    title: "a hard link to a symlink is that symlink",
    layers: [[symlink("a", "target"), link("b", "a")]],
    holds: { a: "-> target", b: "-> target" },
  },
  {
    title: "a hard link to a symlink that a higher layer hides is that symlink",
    layers: [[symlink("a", "target"), link("b", "a")], [whiteout("a")]],
    holds: { a: null, b: "-> target" },
  },
  {
    title: "a hard link to a fifo or a device that a higher layer hides is one itself",
    layers: [
      [node("p", "6"), link("q", "p"), node("c", "3", [1, 3]), link("e", "c")],
      [whiteout("p"), whiteout("c")],
    ],
    holds: { p: null, q: "fifo", e: "char" },
  },
  {
    title: "a hard link to an absolute path stays inside the root",
    layers: [[file("etc/passwd", "the image's own"), link("b", "/etc/passwd")]],
    holds: { b: "the image's own" },
    linked: [["b", "etc/passwd"]],
  },
  {
    title: "a hard link target that climbs out is refused",
    layers: [[file("a", "the image's own"), link("b", "../../a")]],
    fails: /layer 1[\s\S]*\.\.\/a/i,
  },
  {
    title: "a hard link through a symlinked directory reaches the file",
    layers: [[directory("real"), file("real/a", "1"), symlink("d", "real"), link("b", "d/a")]],
    holds: { b: "1" },
    linked: [["b", "real/a"]],
  },
  {
    // Docker and umoci link in the order of the archive too.
    title: "a hard link to a later entry of its layer is an error that names the layer",
    layers: [[file("x")], [link("b", "a"), file("a", "1")]],
    fails: /layer 2[\s\S]*'a'/i,
  },
  {
    title: "a hard link before its layer's entry of that path leads to the lower layer's",
    layers: [[file("a", "lower")], [link("b", "a"), file("a", "upper")]],
    holds: { a: "upper", b: "lower" },
  },
  {
    title: "a hard link to nothing is an error that names the layer",
    layers: [[file("x", "1")], [link("b", "no/such/file")]],
    fails: /layer 2[\s\S]*no\/such\/file|no\/such\/file[\s\S]*layer 2/i,
  },
  {
    title: "a hard link to what a lower layer's whiteout has hidden is an error",
    layers: [[file("a", "1")], [whiteout("a")], [link("b", "a")]],
    fails: /layer 3/i,
  },
  {
    title: "a hard link to itself is an error or the lower layer's file, and ends",
    layers: [[file("a", "1")], [link("a", "a")]],
    umoci: false, // It removes the target first.
    check: (tree) => {
      if (tree.get("a")?.size !== 1) throw new Error("a lost its byte");
    },
  },
  {
    title: "two hard links to each other are an error that names the layer",
    layers: [[link("a", "b"), link("b", "a")]],
    fails: /layer 1/i,
  },
  {
    title: "a hard link as the first entry of all layers",
    layers: [[file("a", "1")], [link("0", "a"), file("b", "2")]],
    linked: [["0", "a"]],
  },
  {
    title: "a hard link to a file that was replaced in the same layer before it",
    layers: [[file("a", "first"), file("a", "second"), link("b", "a")]],
    holds: { a: "second", b: "second" },
    linked: [["a", "b"]],
  },
  {
    title: "a hard link to a file that is replaced in the same layer after it",
    layers: [[file("a", "first"), link("b", "a"), file("a", "second")]],
    holds: { a: "second", b: "first" },
  },
  {
    title: "a link replaces a file of a lower layer",
    layers: [[file("b", "old"), file("a", "1")], [file("a", "2"), link("b", "a")]],
    holds: { a: "2", b: "2" },
    linked: [["a", "b"]],
  },
  {
    title: "a large hidden target lends its bytes whole",
    layers: [
      [file("big", Buffer.alloc(3_000_001, "0123456789abcdef")), link("b", "big")],
      [whiteout("big")],
    ],
    holds: { big: null, b: "0123456789abcdef".repeat(187_501).slice(0, 3_000_001) },
  },
  {
    title: "extended attributes and the mode belong to the inode, through whichever name it stays",
    layers: [
      [
        file("a", "1", { mode: 0o4755, xattrs: { "user.k": "v" } }),
        link("b", "a", { mode: 0o4755 }),
      ],
      [whiteout("a")],
    ],
    holds: { b: "1" },
  },
];

const denroot = useDenroot();
testLayerCases(() => denroot, cases);

/** Whiteouts, opaque directories and replaced entries in stacks of layers. */

import { useDenroot } from "../helpers/denroot_command.ts";
import { type LayerCase, testLayerCases } from "../helpers/layer_case.ts";
import { directory, file, link, node, opaque, symlink, whiteout } from "../helpers/tar_fixture.ts";

const cases: readonly LayerCase[] = [
  {
    title: "a whiteout hides a file of a lower layer and nothing else",
    layers: [[file("a", "1"), file("ab", "2"), file("d/a", "3")], [whiteout("a")]],
    holds: { a: null, ab: "2", "d/a": "3", ".wh.a": null },
  },
  {
    title: "a whiteout hides a directory with all that is below it",
    layers: [[directory("d"), file("d/e/f", "1")], [whiteout("d")]],
    holds: { d: null, "d/e": null, "d/e/f": null },
  },
  {
    title: "an opaque marker is no whiteout of a file whose name looks like it",
    layers: [
      [directory("d"), file("d/.opq", "dot"), file("d/old", "1"), file("opq", "2")],
      [directory("d"), opaque("d"), file("d/new", "3")],
    ],
    holds: { "d/.opq": null, "d/old": null, "d/new": "3", opq: "2" },
  },
  {
    title: "an opaque marker spares its own layer's children whatever its place among them",
    layers: [
      [directory("d"), file("d/old", "1"), file("d/sub/deep", "2"), file("d/both", "lower")],
      [
        directory("d"),
        file("d/early", "3"),
        file("d/both", "upper"),
        opaque("d"),
        file("d/z", "4"),
      ],
    ],
    holds: {
      "d/old": null,
      "d/sub": null,
      "d/early": "3",
      "d/both": "upper",
      "d/z": "4",
      "d/.wh..wh..opq": null,
    },
  },
  {
    title: "an opaque marker without its directory's entry keeps the directory's own metadata",
    layers: [
      [directory("d", { mode: 0o750, mtime: 1_500_000_000 }), file("d/old", "1")],
      [opaque("d"), file("d/new", "2")],
    ],
    holds: { "d/old": null, "d/new": "2" },
  },
  {
    title: "an opaque root hides all lower layers",
    layers: [[file("a", "1"), file("d/b", "2")], [file(".wh..wh..opq"), file("c", "3")]],
    holds: { a: null, d: null, c: "3" },
  },
  {
    title: "a directory comes back empty of the old when a later layer makes it again",
    layers: [
      [directory("d"), file("d/old", "1")],
      [whiteout("d")],
      [directory("d", { mode: 0o711 }), file("d/new", "2")],
    ],
    holds: { "d/old": null, "d/new": "2" },
  },
  {
    title: "a whiteout and the directory made again in one layer, the whiteout first",
    layers: [
      [directory("d"), file("d/old", "1")],
      [whiteout("d"), directory("d"), file("d/new", "2")],
    ],
    holds: { "d/old": null, "d/new": "2" },
  },
  {
    title: "a whiteout and the directory made again in one layer, the whiteout last",
    layers: [
      [directory("d"), file("d/old", "1")],
      [directory("d"), file("d/new", "2"), whiteout("d")],
    ],
    holds: { "d/old": null, "d/new": "2" },
  },
  {
    title: "the whiteouts of a single layer vanish",
    layers: [[file("a", "1"), whiteout("b"), directory("d"), opaque("d"), file("d/c", "2")]],
    holds: { a: "1", b: null, ".wh.b": null, "d/.wh..wh..opq": null, "d/c": "2" },
  },
  {
    title: "a file stays beside a whiteout of its own name, whichever comes first",
    layers: [
      [file("foo", "old"), file("bar", "old")],
      [whiteout("foo"), file("foo", "new"), file("bar", "new"), whiteout("bar")],
    ],
    holds: { foo: "new", bar: "new" },
  },
  {
    title: "an opaque directory over a lower symlink leaves the symlink's target alone",
    layers: [
      [directory("real"), file("real/x", "1"), symlink("d", "real")],
      [directory("d"), opaque("d"), file("d/y", "2")],
    ],
    holds: { "real/x": "1", "real/y": null, d: "directory", "d/y": "2" },
  },
  {
    // So do the engines: the layer's own directory would have come with an entry.
    title: "a whiteout below a lower symlink hides what the symlink leads to inside the root",
    layers: [
      [directory("real"), file("real/x", "1"), symlink("d", "real")],
      [file("d/.wh.x")],
    ],
    holds: { "real/x": null, d: "-> real" },
  },
  {
    title: "a whiteout without a name is an error that names the layer",
    layers: [[file("a", "1")], [file("d/.wh.", "")]],
    fails: /layer 2/i,
  },
  {
    title: "the bookkeeping files of aufs are ignored",
    layers: [
      [file("a", "1"), file("plnk", "2"), file("aufs", "3")],
      [
        file(".wh..wh.aufs", "x"),
        directory(".wh..wh.plnk"),
        file(".wh..wh.plnk/123.456", "x"),
        directory(".wh..wh.orph"),
        file("b", "4"),
      ],
    ],
    // umoci takes them for whiteouts of odd names.
    umoci: false,
    holds: {
      a: "1",
      plnk: "2",
      aufs: "3",
      b: "4",
      ".wh..wh.aufs": null,
      ".wh..wh.plnk": null,
      ".wh..wh.plnk/123.456": null,
      ".wh..wh.orph": null,
    },
  },
  {
    title: "a whiteout counts whatever its entry's type is",
    layers: [
      [file("a", "1"), file("b", "2"), file("c", "3"), file("keep", "4")],
      [
        symlink(".wh.a", "keep"),
        node(".wh.b", "3", [0, 0]),
        link(".wh.c", "keep"),
      ],
    ],
    holds: { a: null, b: null, c: null, keep: "4", ".wh.a": null, ".wh.b": null, ".wh.c": null },
  },
  {
    title: "a whiteout that is a hard link to a whiteout counts",
    layers: [[file("a", "1"), file("b", "2")], [file(".wh.a"), link(".wh.b", ".wh.a")]],
    umoci: false, // It fails to link to what it has not written.
    holds: { a: null, b: null },
  },
  {
    title: "a whiteout below a directory that is whited out too is no error",
    layers: [[directory("a"), file("a/b", "1")], [whiteout("a"), file("a/.wh.b")]],
    umoci: false, // The whiteout's parent: implied again or not.
    holds: { "a/b": null },
  },
  {
    title: "a whiteout of nothing is no error",
    layers: [[file("a", "1")], [whiteout("nothing"), whiteout("no/such/path")]],
    umoci: false, // The whiteout's parents: implied or not.
    holds: { a: "1", nothing: null, "no/such/path": null },
  },
  {
    title: "a file that replaces a directory hides what was below it",
    layers: [[directory("x"), file("x/y/z", "1")], [file("x", "2")]],
    holds: { x: "2", "x/y": null },
  },
  {
    title: "a directory replaces a file",
    layers: [[file("x", "1")], [directory("x"), file("x/y", "2")]],
    holds: { x: "directory", "x/y": "2" },
  },
  {
    title: "a symlink that replaces a directory hides what was below it",
    layers: [
      [directory("x"), file("x/y", "1"), directory("z"), file("z/a", "2")],
      [symlink("x", "z")],
    ],
    holds: { x: "-> z", "x/y": null, "z/a": "2", "z/y": null },
  },
  {
    title: "a directory replaces a symlink to a directory and leaves that one alone",
    layers: [
      [directory("z"), file("z/a", "1"), symlink("x", "z")],
      [directory("x"), file("x/b", "2")],
    ],
    holds: { x: "directory", "x/b": "2", "z/a": "1", "z/b": null },
  },
  {
    title: "types change from layer to layer and the highest one wins",
    layers: [
      [file("x", "1")],
      [directory("x"), file("x/y", "2")],
      [symlink("x", "nowhere")],
      [file("x", "4")],
    ],
    holds: { x: "4", "x/y": null },
  },
  {
    title: "what a directory lost to a file does not come back with the directory",
    layers: [
      [directory("x"), file("x/old", "1")],
      [file("x", "2")],
      [directory("x"), file("x/new", "3")],
    ],
    holds: { "x/old": null, "x/new": "3" },
  },
  {
    title: "a whiteout hides all lower layers at once, not one",
    layers: [[file("a", "1")], [file("a", "2")], [whiteout("a")]],
    holds: { a: null },
  },
  {
    title: "a whiteout in the middle hides below and not above",
    layers: [[file("d/a", "1"), file("d/b", "1")], [whiteout("d")], [file("d/b", "3")]],
    holds: { "d/a": null, "d/b": "3" },
  },
];

const denroot = useDenroot();
testLayerCases(() => denroot, cases);

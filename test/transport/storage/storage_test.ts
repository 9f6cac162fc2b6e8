/** Tests of a storage's records, mostly of broken ones. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { Storage } from "../../../lib/transport/storage/storage.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("storage");
const [imageId, first, second] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
];

test("layers are read from all files of records, and given base first", () => {
  const root = storage({
    images: [{ id: imageId, layer: second }],
    layers: [{ id: second, parent: first, "diff-size": 5 }],
    volatile: [{ id: first, "diff-size": -1 }],
  });
  const { images } = root;
  assert.deepEqual(root.layersOf(images[0]!).map(({ id, size }) => [id, size]), [
    [first, 0],
    [second, 5],
  ]);
});

test("layers that are missing, incomplete or their own parents are refused", () => {
  for (
    const [layers, message] of [
      [[], /Layer c+ of image a+ is missing in the storage/],
      [[{ id: second, parent: first }], /Layer b+ of image a+ is missing/],
      [[{ id: second, flags: { incomplete: true } }], /is incomplete in the storage/],
      [[{ id: second, parent: second }], /is its own parent/],
      [[{ id: second, parent: first }, { id: first, parent: second }], /is its own parent/],
    ] as const
  ) {
    const broken = storage({ images: [{ id: imageId, layer: second }], layers });
    assert.throws(() => broken.layersOf(broken.images[0]!), message);
  }
});

test("an ID that could lead to another path is refused", () => {
  const bad = "../../../etc";
  for (
    const records of [
      { images: [{ id: bad }] },
      { images: [{ id: imageId, layer: bad }] },
      { layers: [{ id: bad }] },
      { layers: [{ id: first, parent: bad }] },
    ]
  ) {
    assert.throws(() => storage(records), /have the invalid ID "\.\.\/\.\.\/\.\.\/etc"$/);
  }
});

test("invalid records are refused with the name of their file", () => {
  for (const text of ["{", '"x"', "{}", "[1]", '[{"id":7}]']) {
    assert.throws(
      () => storage({ images: text }),
      (error) => error instanceof DenrootError && /storage/.test(error.message),
      text,
    );
  }
  assert.deepEqual(storage({ images: "null" }).images, []);
  assert.deepEqual(storage({ images: "" }).images, []);
});

test("a document is verified with its digest", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const root = storage({ images: [{ id: imageId, "big-data-digests": { manifest: digest } }] });
  const image = root.images[0]!;
  assert.throws(() => root.document(image, "config"), /"config" in the storage is missing/);
  assert.throws(() => root.document(image, "manifest"), /"manifest" in the storage does not exist/);
  mkdirSync(image.directory);
  writeFileSync(root.documentPath(image, "manifest"), "{}");
  assert.throws(() => root.document(image, "manifest"), /has the digest sha256:44136fa/);
  // This is the name in Base64, because the colon is not allowed in the name of the file.
  assert.match(root.documentPath(image, "sha256:0"), /\/=c2hhMjU2OjA=$/);
});

test("layers in composefs, in an additional layer store or without files are refused", () => {
  const root = join(mkdtempSync(join(scratch, "root-")));
  mkdirSync(join(root, "overlay-images"));
  const layer = { id: first, parent: undefined, diffId: undefined, size: 0, isIncomplete: false };
  const opened = new Storage({ driver: undefined, roots: [root] });
  assert.throws(() => opened.unpackedLayer(layer), /The files of layer b+ are not in the storage/);
  mkdirSync(join(root, "overlay", first, "diff"), { recursive: true });
  assert.deepEqual(opened.unpackedLayer(layer), {
    type: "tree",
    root: join(root, "overlay", first, "diff"),
    isWhole: false,
  });
  mkdirSync(join(root, "overlay", second));
  symlinkSync("/", join(root, "overlay", second, "diff"));
  assert.throws(() => opened.unpackedLayer({ ...layer, id: second }), /additional layer store/);
  mkdirSync(join(root, "overlay", first, "composefs-data"));
  assert.throws(() => opened.unpackedLayer(layer), /composefs/);
});

test("a link on the way to a layer's files may not lead out of the storage", () => {
  const elsewhere = mkdtempSync(join(scratch, "elsewhere-"));
  mkdirSync(join(elsewhere, first, "diff"), { recursive: true });
  const layer = { id: first, parent: undefined, diffId: undefined, size: 0, isIncomplete: false };
  const prepare = [
    ["overlay", (root: string) => symlinkSync(elsewhere, join(root, "overlay"))],
    ["overlay", (root: string) => {
      mkdirSync(join(root, "overlay"));
      symlinkSync(join(elsewhere, first), join(root, "overlay", first));
    }],
    ["vfs", (root: string) => {
      mkdirSync(join(root, "vfs"));
      symlinkSync(elsewhere, join(root, "vfs", "dir"));
    }],
  ] as const;
  for (const [driver, lead] of prepare) {
    const root = mkdtempSync(join(scratch, "root-"));
    lead(root);
    // A link to another root of the same storage is refused too.
    for (const roots of [[root], [root, elsewhere]]) {
      assert.throws(
        () => new Storage({ driver, roots }).unpackedLayer(layer),
        /A link on the way to ".*" leads out of the storage/,
      );
    }
  }
});

test("the path of a storage, or of an additional one, may be a link", () => {
  const root = mkdtempSync(join(scratch, "root-"));
  const additional = mkdtempSync(join(scratch, "root-"));
  const link = `${additional}-link`;
  symlinkSync(additional, link);
  mkdirSync(join(additional, "overlay", first, "diff"), { recursive: true });
  const layer = { id: first, parent: undefined, diffId: undefined, size: 0, isIncomplete: false };
  for (const roots of [[link], [root, link], [`${link}/`]]) {
    const place = new Storage({ driver: "overlay", roots }).unpackedLayer(layer);
    assert.equal(place.root, join(link, "overlay", first, "diff"));
  }
});

interface Records {
  readonly images?: unknown;
  readonly layers?: unknown;
  readonly volatile?: unknown;
}

/** Makes a storage of the driver vfs. Records that are text are written unchanged. */
function storage({ images = [], layers = [], volatile = [] }: Records): Storage {
  const root = mkdtempSync(join(scratch, "root-"));
  for (const name of ["vfs-images", "vfs-layers"]) mkdirSync(join(root, name));
  const write = (name: string, records: unknown) =>
    writeFileSync(
      join(root, name),
      typeof records === "string" ? records : JSON.stringify(records),
    );
  write("vfs-images/images.json", images);
  write("vfs-layers/layers.json", layers);
  write("vfs-layers/volatile-layers.json", volatile);
  return new Storage({ driver: "vfs", roots: [root] });
}

/** Which layers are decompressed ahead of the packing, and that the image does not tell. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { SLAB_SIZE } from "../../lib/layer/layer_messages.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { directory, file, link, tarArchive } from "../helpers/tar_fixture.ts";
import { mksquashfs, packOptions } from "../squashfs/packing.ts";
import { failureOf, packingIn, zeros } from "./pack_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const { pack, scriptedMksquashfs, storeLayer } = packingIn(scratchDirectory("read-ahead"));

test("a layer that has to be read again is not read ahead of a second time", async () => {
  // The top layer hides the name of its own file, so that the file's links need a second pass.
  const layers = [
    [file("base", "1")],
    [zeros, { path: "zeros-link", flag: "1", linkPath: "zeros" }],
    [file("zeros")],
  ];
  const squash = packOptions(mksquashfs, { processors: 2 });
  assert.deepEqual((await pack(layers, { squash })).asked, [2, 1, 0, 1]);
  assert.deepEqual((await pack(layers)).asked, [2, 1, 1, 0]);
});

test("as many layers are read ahead as there are processors and memory for", async () => {
  const layers = ["e", "d", "c", "b", "a"].map((name) => [file(name, name)]);
  for (
    const [processors, slabs, begun] of [[4, 4, 4], [4, 2, 2], [2, 9, 2], [1, 9, 1], [
      9,
      0,
      1,
    ]] as const
  ) {
    const asked: number[] = [];
    // The top layer never comes to its end, so all that is begun is begun ahead.
    const controller = new AbortController();
    const squash = scriptedMksquashfs("exec sleep 60");
    const packing = pack([...layers, [zeros]], {
      squash,
      processors,
      aheadBytes: slabs * SLAB_SIZE,
      signal: controller.signal,
      onAsked: (layer) => asked.push(layer),
    });
    await waitUntil(`${begun} layers are asked for`, () => asked.length === begun);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(asked, [5, 4, 3, 2, 1, 0].slice(0, begun), `${processors}, ${slabs}`);
    controller.abort();
    await packing;
  }
});

test("the image has the same bytes, however much is decompressed ahead", async () => {
  const layers = ["a", "b", "c", "d"].map((name) => [
    file(`${name}/large`, randomBytes(SLAB_SIZE + 12_345)),
    file(`${name}/small`, name),
    directory(`${name}/empty`),
  ]);
  const images: Buffer[] = [];
  const squash = packOptions(mksquashfs, { squashOptions: "-noI -noD -noF -noX" });
  for (const [processors, slabs] of [[1, 1], [4, 9]] as const) {
    const { image } = await pack(layers, { squash, processors, aheadBytes: slabs * SLAB_SIZE });
    images.push(image);
  }
  assert.equal(images[0]!.length > 4 * SLAB_SIZE, true);
  assert.ok(images.every((image) => images[0]!.equals(image)));
});

test("with a plan, layers are read from the base up, and one is read ahead", async () => {
  // A link to a file that may have to be replaced needs a plan.
  const layers = [[file("x/rc", "1")], [file("y/rc", "2"), link("z", "y/rc")]];
  const ownFiles = [{ path: "etc/rc", mode: 0o644, content: new Uint8Array() }];
  const squash = packOptions(mksquashfs, { processors: 2 });
  const { asked, messages } = await pack(layers, { squash, ownFiles });
  assert.match(messages.join(), /^info Packing starts again: 'y\/rc' has links/);
  assert.deepEqual(asked.slice(-4), [0, 1, 1, 0]);
});

test("a layer that is read ahead may fail before it is needed", async () => {
  const error = new DenrootError("network", "The registry is gone");
  const squash = packOptions(mksquashfs, { processors: 2 });
  let asked = 0;
  const top = storeLayer(tarArchive([zeros])).readable;
  const fetcher = { readable: () => ++asked === 1 ? Promise.resolve(top) : Promise.reject(error) };
  assert.equal(failureOf(await pack([[file("a", "1")], [zeros]], { squash, fetcher })), error);
});

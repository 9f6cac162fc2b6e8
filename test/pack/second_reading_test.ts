/** A layer that is read twice, where another user may change it between the two readings. */

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../../lib/oci/digest.ts";
import { packLayers } from "../../lib/pack/pack_layers.ts";
import { UnusableBlob } from "../../lib/store/unusable_blob.ts";
import type { BlobFetcher, ReadableBlob } from "../../lib/store/blob_fetcher.ts";
import type { Descriptor, ImageConfig } from "../../lib/types/image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file, link, tarArchive, whiteout } from "../helpers/tar_fixture.ts";
import { mksquashfs, packOptions } from "../squashfs/packing.ts";

const scratch = scratchDirectory("second-reading");
/** The link's content is known only when its file, which is hidden, has passed by. */
const lower = (content: string) => tarArchive([file("hidden", content), link("kept", "hidden")]);
const upper = tarArchive([whiteout("hidden")]);

test("a changed layer is found out at its second reading, and no image is made", async () => {
  const { failure, target, readings } = await packChanged({ othersMayWrite: true });
  assert.ok(failure instanceof UnusableBlob, String(failure));
  assert.match(failure.message, /Its content is sha256:/);
  assert.ok(!existsSync(target));
  assert.equal(readings, 2);
});

test("a layer that only this user can change is verified once", async () => {
  const { failure, readings } = await packChanged({ othersMayWrite: false });
  assert.deepEqual([failure, readings], [undefined, 2]);
});

/** Packs two layers; the lower one is another at its second reading. */
async function packChanged({ othersMayWrite }: { readonly othersMayWrite: boolean }) {
  const target = join(scratch, `${othersMayWrite}.sqsh`);
  const layers = [lower("good"), upper].map((bytes) => ({
    descriptor: { mediaType: "", digest: digestOf(bytes), size: bytes.length },
    diffId: digestOf(bytes),
  }));
  let readings = 0;
  const readable = ({ digest, size, mediaType }: Descriptor): Promise<ReadableBlob> => {
    const isUpper = digest === layers[1]!.descriptor.digest;
    if (!isUpper) readings++;
    const path = join(scratch, `${digest}-${readings}`);
    writeFileSync(path, isUpper ? upper : lower(readings === 1 ? "good" : "evil"));
    return Promise.resolve({
      descriptor: { digest, size, mediaType },
      place: { type: "file", path, offset: 0, checkedBy: "digest" },
      origin: "cache",
      othersMayWrite,
    });
  };
  const fetcher = {
    readable,
    failure: new Promise(() => {}),
    finished: () => Promise.resolve(),
    verified: () => Promise.resolve(),
  } as unknown as BlobFetcher;
  const failure = await packLayers({
    output: { type: "image", target, squash: packOptions(mksquashfs), verifyWith: undefined },
    processors: 1,
    aheadBytes: 1,
    plan: { config: { workingDir: "" } as unknown as ImageConfig, layers },
    ownFiles: [],
    nameOf: () => "Layer 1/2",
    fetcher,
    allTime: undefined,
    defaultTime: 0,
    maxBytes: 1e9,
    signal: new AbortController().signal,
    onProgress: () => {},
  }).then(() => undefined, (error: unknown) => error);
  return { failure, target, readings };
}

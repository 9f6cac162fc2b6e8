/** Tests which images are refused because a disk is too small for them. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { checkSpace } from "../../lib/image/check_space.ts";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import type { ImageSource, LocalBlob } from "../../lib/types/source.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { blobOf, isError } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("space");
const cache = new BlobCache(scratch);
cache.open();
const REMOTE = {};
const LOCAL = { place: () => ({ type: "file", path: "", offset: 0 }) as LocalBlob };
const BROKEN = {
  place() {
    throw new Error("The layer cannot be looked at");
  },
};

/** A layer of so many times the free space. */
function layerOf(times: number, mediaType: string): Descriptor {
  const { bavail, bsize } = fs.statfsSync(scratch);
  return blobOf("", { size: Math.floor(times * bavail * bsize), mediaType });
}

function check(layers: readonly Descriptor[], source: Partial<ImageSource>): void {
  checkSpace(
    { config: blobOf("{}"), layers },
    cache,
    source as ImageSource,
    { directory: scratch, elsewhere: "set ELSEWHERE" },
  );
}

test("layers that are not here must fit into the cache", () => {
  check([layerOf(0.3, "tar+gzip"), layerOf(0.3, "tar+gzip")], REMOTE);
  assert.throws(
    () => check([layerOf(0.6, "tar+gzip"), layerOf(0.6, "tar+gzip")], REMOTE),
    isError("space", /for the cache: at least \d+ MB more are needed$/),
  );
});

test("an image takes a half of its compressed layers, and a tenth of others", () => {
  check([layerOf(1.6, "tar+gzip"), layerOf(1.6, "tar")], LOCAL);
  for (const mediaType of ["tar+gzip", "tar+zstd"]) {
    assert.throws(
      () => check([layerOf(2.4, mediaType)], LOCAL),
      isError("space", /for the output: at least \d+ MB more are needed$/),
    );
  }
});

test("what the cache and the image take of one disk is added up", () => {
  assert.throws(() => check([layerOf(0.8, "tar+gzip")], REMOTE), isError("space", /the output/));
});

test("a layer that cannot be looked at counts as here: its reader reports the error", () => {
  check([layerOf(1.6, "tar")], BROKEN);
});

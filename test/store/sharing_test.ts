/** A shared cache can be read by those who share it; a private one is its user's alone. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test, { type TestContext } from "node:test";
import { digestOf } from "../../lib/oci/digest.ts";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { sharingOf } from "../../lib/store/sharing.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const content = new TextEncoder().encode("a blob's bytes");
const descriptor = { mediaType: "", digest: digestOf(content), size: content.length };

const cases: readonly [root: number, directories: number, files: number, others: boolean][] = [
  [0o700, 0o700, 0o600, false],
  [0o750, 0o700, 0o600, false],
  [0o755, 0o700, 0o600, false],
  [0o1755, 0o700, 0o600, false],
  [0o2700, 0o2700, 0o600, false],
  [0o2755, 0o2755, 0o644, false],
  [0o770, 0o2770, 0o640, true],
  [0o775, 0o2775, 0o644, true],
  [0o2770, 0o2770, 0o640, true],
  [0o2775, 0o2775, 0o644, true],
  [0o777, 0o777, 0o644, true],
  [0o1777, 0o1777, 0o644, true],
  [0o3777, 0o3777, 0o644, true],
];
for (const umask of [0o002, 0o022, 0o077]) {
  for (const [root, directories, files, othersMayWrite] of cases) {
    test(`in a cache of mode ${octal(root)}, with umask ${octal(umask)}`, async () => {
      const before = process.umask(umask);
      try {
        const cache = openCache(root);
        const ingest = cache.ingest(descriptor);
        ingest.write(content, 0);
        await ingest.commit();
        const modeOf = (name: string) => octal(fs.statSync(join(cache.root, name)).mode & 0o7777);
        for (const name of ["ingest", "blobs", "blobs/sha256"]) {
          assert.equal(modeOf(name), octal(directories), name);
        }
        for (const name of ["oci-layout", "index.json", ingest.paths[1].slice(cache.root.length)]) {
          assert.equal(modeOf(name), octal(files), name);
        }
        assert.equal(cache.sharing.othersMayWrite, othersMayWrite);
      } finally {
        process.umask(before);
      }
    });
  }
}

test("directories that were private are mended once the cache is shared", () => {
  const cache = openCache(0o700);
  cache.makeDirectoryOf(join(cache.root, "blobs/sha256/x"));
  fs.chmodSync(cache.root, 0o2775);
  new BlobCache(cache.root).open();
  for (const name of ["ingest", "blobs", "blobs/sha256"]) {
    assert.equal(fs.statSync(join(cache.root, name)).mode & 0o7777, 0o2775, name);
  }
});

test("another user's private cache can be changed by that user", (context: TestContext) => {
  if (process.getuid!() !== 0) return context.skip("needs root");
  const root = scratchDirectory("sharing");
  fs.chownSync(root, 54321, 54321);
  assert.equal(sharingOf(root).othersMayWrite, true);
});

function openCache(mode: number): BlobCache {
  const root = scratchDirectory("sharing");
  fs.chmodSync(root, mode);
  const cache = new BlobCache(root);
  cache.open();
  return cache;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

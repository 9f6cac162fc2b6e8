/** umoci, an independent engine: it shows what an image means. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Image, type ImageSpec, writeImage } from "./image_fixture.ts";
import { runProgram } from "./run_program.ts";
import { listDirectory, removeTree, type Tree } from "./tree_listing.ts";

/** The tree that umoci unpacks from an image's layers; needs root. */
export async function umociTree(image: Image): Promise<Tree> {
  return await withUmoci(image, listDirectory);
}

/** The same for layers that umoci cannot read as stored: zstd, odd media types. */
export async function umociTreeOf(spec: ImageSpec): Promise<Tree> {
  const directory = mkdtempSync(join(tmpdir(), "denroot-oracle-"));
  try {
    const layers = spec.layers.map((one) => ({ tar: "tar" in one ? one.tar : one }));
    return await umociTree(writeImage(directory, { layers, tag: "oracle" }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Unpacks an image, passes its root directory to `use`, and removes it. */
async function withUmoci<T>(
  image: { directory: string; tag: string },
  use: (rootfs: string) => Promise<T>,
): Promise<T> {
  const scratch = mkdtempSync(join(tmpdir(), "denroot-umoci-"));
  try {
    const bundle = join(scratch, "bundle");
    await runProgram("umoci", ["unpack", "--image", `${image.directory}:${image.tag}`, bundle], {
      timeoutMs: 600_000,
    });
    return await use(join(bundle, "rootfs"));
  } finally {
    await removeTree(scratch);
  }
}

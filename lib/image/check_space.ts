/** Checks that there is enough disk space, before a long transfer fills the disk. */

import fs from "node:fs";
import { DenrootError, messageOf } from "../errors.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { freeSpace } from "../system/host/free_space.ts";
import type { Descriptor } from "../types/image.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";

/** A compressed layer hardly ever takes less than this part of its stored bytes in the image. */
const LEAST_RATIO = 0.5;
/** The same for an uncompressed layer. */
const LEAST_RATIO_PLAIN = 0.1;

/** What stat(2) counts in. */
const BLOCK_SIZE = 512;

interface Need {
  readonly directory: string;
  readonly what: string;
  readonly bytes: number;
  readonly hint: string;
}

/**
 * Throws code `space` when the missing layers cannot fit into the cache, or the image into the
 * directory of `target`; code `file` when the space there cannot be read.
 */
export function checkSpace(
  { layers }: ImageContent,
  cache: BlobCache,
  source: ImageSource,
  target: { readonly directory: string; readonly elsewhere: string },
): void {
  const missing = layers.filter((layer) => !isHere(layer, source, cache));
  const needs: Need[] = [{
    directory: cache.root,
    what: "the cache",
    bytes: missing.reduce((sum, { size }) => sum + size, 0) - bytesArrived(missing, cache),
    hint: "Free some space there, or set ENROOT_CACHE_PATH to another directory",
  }, {
    directory: target.directory,
    what: "the output",
    bytes: Math.floor(layers.reduce((sum, layer) => sum + leastPacked(layer), 0)),
    hint: `Free some space there, or ${target.elsewhere}`,
  }];
  const taken = new Map<number, number>();
  for (const need of needs) check(need, taken);
}

function isHere(layer: Descriptor, source: ImageSource, cache: BlobCache): boolean {
  try {
    return source.place?.(layer) !== undefined || cache.find(layer) !== undefined;
  } catch {
    // The layer's reader meets the same error again, and its message then names the layer.
    return true;
  }
}

/** What earlier runs left of these layers takes no more room. */
function bytesArrived(missing: readonly Descriptor[], cache: BlobCache): number {
  const files = [...cache.partials(missing).values()];
  const blocks = files.map((file) => fs.statSync(file, { throwIfNoEntry: false })?.blocks ?? 0);
  return blocks.reduce((sum, count) => sum + count * BLOCK_SIZE, 0);
}

function leastPacked({ mediaType, size }: Descriptor): number {
  return size * (/gzip|zstd/.test(mediaType) ? LEAST_RATIO : LEAST_RATIO_PLAIN);
}

/** `taken` has the bytes that earlier needs take on each device. */
function check({ directory, what, bytes, hint }: Need, taken: Map<number, number>): void {
  const { free, device } = spaceOf(directory);
  const before = taken.get(device) ?? 0;
  taken.set(device, before + bytes);
  const missing = before + bytes - free;
  if (bytes <= 0 || missing <= 0) return;
  throw new DenrootError(
    "space",
    `There is too little space in ${directory} for ${what}: at least ${
      megabytes(missing)
    } more are needed`,
    { hint },
  );
}

function spaceOf(directory: string): { free: number; device: number } {
  try {
    return { free: freeSpace(directory).bytes, device: fs.statSync(directory).dev };
  } catch (cause) {
    const why = messageOf(cause);
    throw new DenrootError("file", `The free space in ${directory} is unknown: ${why}`, { cause });
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}

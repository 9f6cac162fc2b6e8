/** About how large an image will be, before a byte of it was fetched. */

import type { Descriptor } from "../types/image.ts";

/** How many bytes of a tar stream one stored byte holds, of software: the layers of most images. */
const EXPANSIONS: ReadonlyArray<readonly [mediaType: RegExp, factor: number]> = [
  [/gzip/, 2.8],
  [/zstd/, 2.9],
];

/** What mksquashfs makes of one byte of a tar stream, by its `-comp`. */
const SHARES: ReadonlyMap<string, number> = new Map([
  ["lzo", 0.5],
  ["lz4", 0.52],
  ["gzip", 0.36],
  ["zstd", 0.33],
  ["xz", 0.29],
  ["lzma", 0.29],
]);
const DEFAULT_COMPRESSOR = "gzip";

/**
 * Guessed from nothing but the layers' stored sizes and `mksquashfs`'s options. Software compresses
 * alike, and so the guess is mostly within a third; an image full of weights, or one whose layers
 * hide much of each other, may be far from it.
 */
export function estimateImageBytes(layers: readonly Descriptor[], squashOptions: string): number {
  const content = layers.reduce((sum, layer) => sum + layer.size * expansionOf(layer), 0);
  return Math.round(content * shareOf(squashOptions));
}

function expansionOf({ mediaType }: Descriptor): number {
  return EXPANSIONS.find(([pattern]) => pattern.test(mediaType))?.[1] ?? 1;
}

function shareOf(squashOptions: string): number {
  const words = squashOptions.split(/\s+/);
  if (words.some((word) => /^-(noD|noDataCompression)$/.test(word))) return 1;
  const name = words[words.lastIndexOf("-comp") + 1];
  const compressor = words.includes("-comp") ? name : DEFAULT_COMPRESSOR;
  return SHARES.get(compressor ?? DEFAULT_COMPRESSOR) ?? SHARES.get(DEFAULT_COMPRESSOR)!;
}

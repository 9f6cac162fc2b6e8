/** Estimates the size of an image file before its layers are fetched. */

import type { Descriptor } from "../types/image.ts";

/** How many bytes of tar one stored byte becomes. Measured with software, as most layers are. */
const EXPANSIONS: ReadonlyArray<readonly [mediaType: RegExp, factor: number]> = [
  [/gzip/, 2.8],
  [/zstd/, 2.9],
];

/** How many bytes mksquashfs writes for one byte of tar, by its option `-comp`. */
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
 * Gives an estimate in bytes, from the layers' stored sizes and mksquashfs's options alone. It is
 * mostly within a third of the real size, because most software compresses equally well. It may be
 * far off for an image full of model weights, or when layers replace many files of lower layers.
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

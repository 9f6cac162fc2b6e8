/** Makes a layer's stored bytes anew: from its tar stream, the same bytes each time. */

import { createHash } from "node:crypto";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { decompress } from "../compress/decompress.ts";
import { through } from "../compress/through.ts";
import { throwIfAborted } from "../errors.ts";
import { readLayerTree } from "../layer/formats/read_layer_tree.ts";
import { readSplitLayer } from "../layer/formats/read_split_layer.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import type { LayerCompression } from "./image_format.ts";
import { type CopyCache, type OpenBlobOptions, openStoredBlob } from "./open_stored_blob.ts";

export interface MadeLayer {
  readonly digest: Digest;
  readonly size: number;
  /** The digest of the tar stream that was compressed. */
  readonly diffId: Digest;
  readonly file: string;
  /** Whether the tar stream was made from a directory, so that no digest was known before. */
  readonly isNew: boolean;
  /** Removes the file, unless the cache had it before. */
  remove(): void;
}

interface CompressOptions {
  readonly source: ImageSource;
  readonly cache: CopyCache;
  readonly compression: LayerCompression;
  /** The algorithm of the layer's diffID decides that of the result's. */
  readonly diffId: Digest;
  readonly signal: AbortSignal;
}

/** `layer` is the descriptor that the source has for it. Nothing says yet that its bytes are right. */
export async function compressLayer(
  layer: Descriptor,
  { source, cache, compression, diffId: expected, signal }: CompressOptions,
): Promise<MadeLayer> {
  const tar = layerTar(layer, { source, cache, signal });
  const content = createDigestHash(expected);
  const writer = cache.spool();
  try {
    for await (const bytes of through(hashed(tar, content, signal), compressor(compression))) {
      writer.write(bytes);
    }
    const { digest, size } = await writer.commit();
    return {
      digest,
      size,
      diffId: `${parseDigest(expected).algorithm}:${content.digest("hex")}`,
      file: cache.find({ digest, size })!,
      isNew: source.place?.(layer)?.type === "tree",
      remove: () => writer.takeBack(),
    };
  } finally {
    writer.close();
  }
}

/** A layer's tar stream. Nothing says yet that it is right. */
export function layerTar(
  layer: Descriptor,
  options: Omit<OpenBlobOptions, "onBytes">,
): AsyncIterable<Uint8Array> {
  const place = options.source.place?.(layer);
  if (place?.type === "tar-split") return readSplitLayer(place);
  if (place?.type === "tree") return readLayerTree(place);
  const stored = openStoredBlob({ descriptor: layer }, { ...options, onBytes: () => {} });
  return decompress(stored.open(0));
}

async function* hashed(
  tar: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for await (const bytes of tar) {
    throwIfAborted(signal);
    hash.update(bytes);
    yield bytes;
  }
}

/** Without a time or a file's name in it, so that the same tar gives the same bytes. */
function compressor(compression: LayerCompression): ReturnType<typeof createGzip> {
  return compression === "gzip" ? createGzip({ level: 6 }) : createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  }) as unknown as ReturnType<typeof createGzip>;
}

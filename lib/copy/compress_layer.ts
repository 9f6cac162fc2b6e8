/** Makes a layer's stored bytes anew: from its tar stream, the same bytes each time. */

import type { Hash } from "node:crypto";
import type { Transform } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { decompress } from "../compress/decompress.ts";
import { throughZlib } from "../compress/through_zlib.ts";
import { throwIfAborted } from "../errors.ts";
import { readLayerTree } from "../layer/formats/read_layer_tree.ts";
import { readSplitLayer } from "../layer/formats/read_split_layer.ts";
import { createDigestHash, digestOfHash } from "../oci/digest.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import type { LayerCompression } from "./image_format.ts";
import {
  type CopyCache,
  counted,
  type OpenBlobOptions,
  openStoredBlob,
} from "./open_stored_blob.ts";

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
  /** What the configuration says: the digest of the tar stream is made by the same algorithm. */
  readonly diffId: Digest;
  /** Gets how many bytes of the layer were read so far. */
  readonly onBytes: (position: number) => void;
  readonly signal: AbortSignal;
}

/** `layer` is the descriptor that the source has for it. Nothing says yet that its bytes are right. */
export async function compressLayer(
  layer: Descriptor,
  { source, cache, compression, diffId: expected, onBytes, signal }: CompressOptions,
): Promise<MadeLayer> {
  const tar = layerTar(layer, { source, cache, onBytes, signal });
  const content = createDigestHash(expected);
  const writer = cache.spool();
  try {
    const { transform, finish } = compressor(compression);
    for await (const bytes of throughZlib(hashed(tar, content, signal), transform, finish)) {
      writer.write(bytes);
    }
    const { digest, size } = await writer.commit();
    return {
      digest,
      size,
      diffId: digestOfHash(content, expected),
      file: cache.find({ digest, size })!,
      isNew: source.place?.(layer)?.type === "tree",
      remove: () => writer.takeBack(),
    };
  } finally {
    writer.close();
  }
}

/** A layer's tar stream. Nothing says yet that it is right. */
export function layerTar(layer: Descriptor, options: OpenBlobOptions): AsyncIterable<Uint8Array> {
  const { source, onBytes } = options;
  const place = source.place?.(layer);
  if (place?.type === "tar-split") return counted(readSplitLayer(place), 0, onBytes);
  if (place?.type === "tree") return counted(readLayerTree(place), 0, onBytes);
  return decompress(openStoredBlob({ descriptor: layer }, options).open(0));
}

async function* hashed(
  tar: AsyncIterable<Uint8Array>,
  hash: Hash,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for await (const bytes of tar) {
    throwIfAborted(signal);
    hash.update(bytes);
    yield bytes;
  }
}

/** Without a time or a file's name in it, so that the same tar gives the same bytes. */
function compressor(compression: LayerCompression): { transform: Transform; finish: number } {
  if (compression === "gzip") {
    return { transform: createGzip({ level: 6 }), finish: constants.Z_FINISH };
  }
  const params = { [constants.ZSTD_c_compressionLevel]: 3 };
  return { transform: createZstdCompress({ params }), finish: constants.ZSTD_e_end };
}

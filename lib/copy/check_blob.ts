/** Whether a place has a blob, and whether its bytes are right. */

import { DenrootError } from "../errors.ts";
import { takeBlob } from "../transport/take_blob.ts";
import { createDigestHash, digestOfHash } from "../oci/digest.ts";
import type { Descriptor } from "../types/image.ts";
import type { BlobStore, ImageSource } from "../types/source.ts";
import { layerTar } from "./compress_layer.ts";
import { openStoredBlob } from "./open_stored_blob.ts";

export interface CheckOptions {
  /** Has what a place without `blob` could only give as one stream. */
  readonly blobs: Pick<BlobStore, "find">;
  /** Whether all bytes are read, and not only asked for. */
  readonly isDeep: boolean;
  readonly onBytes: (position: number) => void;
  readonly signal: AbortSignal;
}

/** The cache says nothing about a place that gives its blobs one by one. */
const NO_CACHE = { find: () => undefined };

/**
 * Throws code `not_found` when the blob is not there, `file` when it has another size, `digest` or
 * `layer` for wrong bytes.
 */
export async function checkBlob(
  descriptor: Descriptor,
  source: ImageSource,
  { blobs, isDeep, onBytes, signal }: CheckOptions,
): Promise<void> {
  const place = source.place?.(descriptor);
  const cache = source.blob === undefined ? blobs : NO_CACHE;
  if (!isDeep) {
    const isHere = place !== undefined || cache.find(descriptor) !== undefined;
    if (!isHere && source.requireBlob === undefined) throw missing(descriptor);
    return await source.requireBlob?.(descriptor, signal);
  }
  // Nobody knows which bytes it had when it was a tar.
  if (place?.type === "tree") return;
  if (place !== undefined && (place.type === "tar-split" || place.checkedBy === "diffId")) {
    return await checkContent(descriptor, source, signal);
  }
  const options = { source, cache, onBytes, signal };
  using stored = openStoredBlob({ descriptor }, options);
  await takeBlob(descriptor, stored.open, signal, () => {});
}

/** Only the layer's content has a digest here. */
async function checkContent(
  descriptor: Descriptor,
  source: ImageSource,
  signal: AbortSignal,
): Promise<void> {
  const { digest } = descriptor;
  const hash = createDigestHash(digest);
  for await (
    const bytes of layerTar(descriptor, { source, cache: NO_CACHE, onBytes: () => {}, signal })
  ) {
    hash.update(bytes);
  }
  const actual = digestOfHash(hash, digest);
  if (actual === digest) return;
  throw new DenrootError("digest", `The content of layer ${digest} is ${actual}`);
}

function missing({ digest }: Descriptor): DenrootError {
  return new DenrootError("not_found", `Blob ${digest} is not there`);
}

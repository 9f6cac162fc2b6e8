/** Whether a place has a blob, and whether its bytes are right. */

import { DenrootError } from "../errors.ts";
import { takeBlob } from "../transport/take_blob.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import type { Descriptor } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import { layerTar } from "./compress_layer.ts";
import { openStoredBlob } from "./open_stored_blob.ts";

export interface CheckOptions {
  /** Whether all bytes are read, and not only asked for. */
  readonly isDeep: boolean;
  readonly onBytes: (position: number) => void;
  readonly signal: AbortSignal;
}

/** What the cache has says nothing about the place. */
const NO_CACHE = { find: () => undefined };

/**
 * Throws code `not_found` when the blob is not there, `file` when it has another size, `digest` or
 * `layer` for wrong bytes.
 */
export async function checkBlob(
  descriptor: Descriptor,
  source: ImageSource,
  { isDeep, onBytes, signal }: CheckOptions,
): Promise<void> {
  const place = source.place?.(descriptor);
  if (!isDeep) {
    if (place === undefined && source.requireBlob === undefined) throw missing(descriptor);
    return await source.requireBlob?.(descriptor, signal);
  }
  // Nobody knows which bytes it had when it was a tar.
  if (place?.type === "tree") return;
  if (place !== undefined && (place.type === "tar-split" || place.checkedBy === "diffId")) {
    return await checkContent(descriptor, source, signal);
  }
  const options = { source, cache: NO_CACHE, onBytes, signal };
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
  for await (const bytes of layerTar(descriptor, { source, cache: NO_CACHE, signal })) {
    hash.update(bytes);
  }
  const actual = `${parseDigest(digest).algorithm}:${hash.digest("hex")}`;
  if (actual === digest) return;
  throw new DenrootError("digest", `The content of layer ${digest} is ${actual}`);
}

function missing({ digest }: Descriptor): DenrootError {
  return new DenrootError("not_found", `Blob ${digest} is not there`);
}

/** Fetches an image's configuration, from the cache or the source. */

import fs from "node:fs";
import { DenrootError } from "../errors.ts";
import type { BlobFetcher, ReadableBlob } from "../store/blob_fetcher.ts";
import { readStretch } from "../store/read_blob.ts";
import { verifyDigest } from "../oci/digest.ts";
import { MAX_CONFIG_SIZE, parseConfig } from "../oci/parse_config.ts";
import type { Descriptor, ImageConfig } from "../types/image.ts";
import { UnusableBlob } from "../store/unusable_blob.ts";

/**
 * Throws code `limit` when the configuration is larger than {@link MAX_CONFIG_SIZE}, `manifest` when
 * the blob is not a configuration, and what `fetcher` throws.
 */
export async function fetchConfig(
  descriptor: Descriptor,
  fetcher: BlobFetcher,
): Promise<ImageConfig> {
  if (descriptor.size > MAX_CONFIG_SIZE) {
    throw new DenrootError(
      "limit",
      `The image's configuration has ${descriptor.size} bytes; the limit is ${MAX_CONFIG_SIZE}`,
    );
  }
  const readable = await fetcher.readable(descriptor);
  await fetcher.verified(readable);
  return parseConfig(readVerified(readable));
}

/** Throws UnusableBlob when the configuration is damaged, or was removed meanwhile. */
function readVerified(readable: ReadableBlob): Uint8Array {
  try {
    const bytes = readStored(readable);
    verifyDigest(bytes, readable.descriptor.digest, "The image's configuration");
    return bytes;
  } catch (error) {
    throw new UnusableBlob(readable, error as Error);
  }
}

/** Gives all bytes of a verified blob. */
function readStored({ place, descriptor }: ReadableBlob): Uint8Array {
  if (place.type === "download") {
    // It keeps its temporary name where it cannot get its final one.
    const [temporary, final] = place.paths;
    const path = fs.existsSync(temporary) ? temporary : final;
    return readStretch({ path, offset: 0 }, descriptor.size);
  }
  if (place.type !== "file") throw new TypeError("The configuration is not a file");
  return readStretch(place, descriptor.size);
}

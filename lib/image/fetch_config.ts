/** The image's configuration, from the cache or the source. */

import fs from "node:fs";
import { DenrootError } from "../errors.ts";
import type { LayerFetcher } from "../layer/layer_fetcher.ts";
import { verifyDigest } from "../oci/digest.ts";
import { parseConfig } from "../oci/parse_config.ts";
import type { Descriptor, ImageConfig } from "../types.ts";
import { LayerFailure } from "./pack_layers.ts";

/** Real ones have some kilobytes. */
const MAX_CONFIG_SIZE = 16 * 1024 * 1024;

/** Throws code `manifest` when it does not fit the manifest's layers, or is too large. */
export async function fetchConfig(
  descriptor: Descriptor,
  layerCount: number,
  fetcher: LayerFetcher,
): Promise<ImageConfig> {
  if (descriptor.size > MAX_CONFIG_SIZE) {
    throw new DenrootError("limit", `The image's configuration has ${descriptor.size} bytes`);
  }
  const readable = await fetcher.readable(descriptor);
  await fetcher.verified(readable);
  const bytes = fs.readFileSync(
    readable.blob === undefined ? readable.paths[0]! : readable.paths[1]!,
  );
  try {
    verifyDigest(bytes, descriptor.digest, "The image's configuration");
  } catch (error) {
    throw new LayerFailure(readable, error as Error);
  }
  const config = parseConfig(bytes);
  if (config.diffIds.length !== layerCount) {
    throw new DenrootError(
      "manifest",
      `The image's configuration names ${config.diffIds.length} layers, its manifest ${layerCount}`,
    );
  }
  return config;
}

/** Reads the bytes of an image's configuration, without keeping them. */

import { MAX_CONFIG_SIZE } from "../oci/parse_config.ts";
import { readBlob } from "../store/read_blob.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { ImageContent, ImageSource } from "../types/source.ts";

/** Throws code `limit` when it has more than {@link MAX_CONFIG_SIZE} bytes, `digest` for wrong ones. */
export function readConfig(
  source: ImageSource,
  { config }: ImageContent,
  { blobs, signal }: Pick<SourceContext, "blobs" | "signal">,
): Promise<Uint8Array> {
  return readBlob(config, {
    source,
    cache: blobs,
    name: "The image's configuration",
    maxBytes: MAX_CONFIG_SIZE,
    signal,
  });
}

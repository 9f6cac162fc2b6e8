/** The name of a blob in messages. */

import type { Descriptor } from "../types/image.ts";
import type { ImageContent } from "../types/source.ts";

/** Gives `Layer 3/12 (sha256:…)`, counted from the base at 1; or the configuration's name. */
export function blobName({ config, layers }: ImageContent, { digest }: Descriptor): string {
  if (digest === config.digest) return `The image's configuration (${digest})`;
  const index = layers.findIndex((layer) => layer.digest === digest);
  return `Layer ${index + 1}/${layers.length} (${digest})`;
}

/** What messages call a blob. */

import type { Descriptor, Manifest } from "../types/image.ts";

/** `Layer 3/12 (sha256:…)`, counted from the base; or the configuration. */
export function blobName({ config, layers }: Manifest, { digest }: Descriptor): string {
  if (digest === config.digest) return `The image's configuration (${digest})`;
  const index = layers.findIndex((layer) => layer.digest === digest);
  return `Layer ${index + 1}/${layers.length} (${digest})`;
}

/** Turns the progress of blobs into events about layers. */

import type { Descriptor } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";

/** One blob may be several layers of the image: an event is made for each of them. */
export function reportLayers(layers: readonly Descriptor[], onProgress: OnProgress) {
  const tell = (descriptor: Descriptor, received: number, cached: boolean) => {
    layers.forEach(({ digest, size }, index) => {
      if (digest === descriptor.digest) {
        onProgress({ type: "layer", index, size, received, cached });
      }
    });
  };
  return {
    received: (descriptor: Descriptor, received: number) => tell(descriptor, received, false),
    found: (descriptor: Descriptor) => tell(descriptor, descriptor.size, true),
  };
}

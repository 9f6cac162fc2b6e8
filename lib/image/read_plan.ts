/** Makes the plan of what is read of an image. */

import { DenrootError } from "../errors.ts";
import type { Descriptor, ImageConfig, ReadPlan } from "../types/image.ts";

/** Throws code `manifest` when the configuration names another number of layers than `layers` has. */
export function planReading(config: ImageConfig, layers: readonly Descriptor[]): ReadPlan {
  const { diffIds } = config;
  if (diffIds.length !== layers.length) {
    throw new DenrootError(
      "manifest",
      `The image's configuration names ${diffIds.length} layers, but its manifest names ` +
        `${layers.length}`,
    );
  }
  return {
    config,
    layers: layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index]! })),
  };
}

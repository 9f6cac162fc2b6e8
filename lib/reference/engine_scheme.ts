/** `dockerd://IMAGE`, `podman://IMAGE`, `docker-daemon:IMAGE`: an image that an engine holds. */

import type { EngineReference } from "../types/reference.ts";
import { parseImageName } from "./image_name.ts";
import { checkDigest } from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

/**
 * The image is a name with an optional tag or digest, or `sha256:` and the ID of an image. The text
 * stays as it is: the engine decides what a name without a tag or a registry means.
 */
export function engineScheme(scheme: EngineReference["scheme"]): SchemeRules<EngineReference> {
  return {
    parse: (text, start) => {
      const image = text.slice(start);
      if (image.startsWith("sha256:")) checkDigest(text, start, image);
      else parseImageName(text, start);
      return { scheme, image };
    },
    format: ({ image }) => image,
    // enroot's names contain the registry too.
    baseName: ({ image }) => image.replace(/[:@]/g, "+"),
  };
}

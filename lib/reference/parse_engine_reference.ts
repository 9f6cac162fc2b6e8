/** `dockerd://IMAGE`, `podman://IMAGE`, `docker-daemon:IMAGE`: an image that an engine holds. */

import type { EngineReference } from "../types/reference.ts";
import { parseImageName } from "./image_name.ts";
import { checkDigest } from "./rules.ts";

const PREFIXES: Readonly<Record<EngineReference["scheme"], string>> = {
  "dockerd": "dockerd://",
  "docker-daemon": "docker-daemon:",
  "podman": "podman://",
};

/**
 * Reads a name with what there is of a tag or digest, or `sha256:` and an image's ID. The text stays
 * as it is: what a name without a tag or a registry means is the engine's to say.
 */
export function parseEngineReference(
  text: string,
  scheme: EngineReference["scheme"],
): EngineReference {
  const start = PREFIXES[scheme].length;
  const image = text.slice(start);
  if (image.startsWith("sha256:")) checkDigest(text, start, image);
  else parseImageName(text, start);
  return { scheme, image };
}

/** The checks that only an import makes: whether a manifest describes an image that it can read. */

import { DenrootError } from "../errors.ts";
import type { ImageManifest, Manifest } from "../types/image.ts";
import { describeArtifact } from "./artifact.ts";
import { isConfigType } from "./media_types.ts";

/** Throws code `unsupported` for any other artifact: a chart, a signature, a model. */
export function requireImage(manifest: Manifest): ImageManifest {
  const { artifactType, config, layers } = manifest;
  const configType = config?.mediaType ?? "";
  const kind = describeArtifact({
    ...(artifactType !== undefined && { artifactType }),
    configType,
    layerTypes: layers.map(({ mediaType }) => mediaType),
    // Some images have a configuration without a type; its content is checked when it is read.
    isConfigType: isConfigType(configType) || (config !== undefined && configType === ""),
  });
  if (config !== undefined && kind === undefined) return { ...manifest, config };
  throw new DenrootError(
    "unsupported",
    `The reference names ${kind ?? "an artifact"}, not a container image`,
    { hint: "Name a container image: this kind of artifact has no root file system" },
  );
}

/** Throws code `unsupported` for layers that ocicrypt has encrypted. */
export function requireReadableLayers({ layers }: ImageManifest): void {
  // No digest would reveal it: an encrypted layer has the right digest.
  const index = layers.findIndex(({ mediaType }) => mediaType.endsWith("+encrypted"));
  if (index < 0) return;
  throw new DenrootError("unsupported", `Layer ${index + 1}/${layers.length} is encrypted`, {
    hint: "Decrypt the image with skopeo copy --decryption-key first",
  });
}

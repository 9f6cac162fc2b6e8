/** Whether a manifest is one that an image can be made of: what only imports ask. */

import { DenrootError } from "../errors.ts";
import type { ImageManifest, Manifest } from "../types/image.ts";
import { describeArtifact } from "./artifact.ts";
import { isConfigType } from "./media_types.ts";

/** Throws code `unsupported` for an artifact: a chart, a signature, a model. */
export function requireImage(manifest: Manifest): ImageManifest {
  const { artifactType, config, layers } = manifest;
  const configType = config?.mediaType ?? "";
  const kind = describeArtifact({
    ...(artifactType !== undefined && { artifactType }),
    configType,
    layerTypes: layers.map(({ mediaType }) => mediaType),
    // A config without a type is judged by its content.
    isConfigType: isConfigType(configType) || (config !== undefined && configType === ""),
  });
  if (config !== undefined && kind === undefined) return { ...manifest, config };
  throw new DenrootError("unsupported", `Not a container image but ${kind ?? "an artifact"}`, {
    hint: "Name a container image: this kind of artifact has no root file system",
  });
}

/** Throws code `unsupported` for layers that are encrypted, as ocicrypt marks them. */
export function requireReadableLayers({ layers }: ImageManifest): void {
  // Their digests are right, and their content is noise.
  const at = layers.findIndex(({ mediaType }) => mediaType.endsWith("+encrypted"));
  if (at < 0) return;
  throw new DenrootError("unsupported", `Layer ${at + 1}/${layers.length} is encrypted`, {
    hint: "Decrypt the image with skopeo copy --decryption-key first",
  });
}

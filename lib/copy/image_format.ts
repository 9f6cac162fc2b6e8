/** The media types of Docker's format and of OCI's, and how an image gets from one to the other. */

import { DenrootError } from "../errors.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  DOCKER_PLAIN_LAYER,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
  OCI_PLAIN_LAYER,
} from "../oci/media_types.ts";

export type ImageFormat = "docker" | "oci";
export type LayerCompression = "gzip" | "zstd";

export const MANIFEST_TYPES = { docker: DOCKER_MANIFEST, oci: OCI_MANIFEST } as const;
export const INDEX_TYPES = { docker: DOCKER_MANIFEST_LIST, oci: OCI_INDEX } as const;
export const CONFIG_TYPES = { docker: DOCKER_CONFIG, oci: OCI_CONFIG } as const;

export function formatOf(mediaType: string): ImageFormat {
  return mediaType.startsWith("application/vnd.docker.") ? "docker" : "oci";
}

/** How a layer of this type is stored: `plain`, or undefined for a type that is not a layer's. */
export function compressionIn(mediaType: string): LayerCompression | "plain" | undefined {
  if (!LAYER_TYPE.test(mediaType)) return undefined;
  if (/[+.]gzip$/.test(mediaType)) return "gzip";
  if (/[+.]zstd$/.test(mediaType)) return "zstd";
  return /\.tar$/.test(mediaType) ? "plain" : undefined;
}

const LAYER_TYPE =
  /^application\/vnd\.(docker\.image\.rootfs(\.foreign)?\.diff|oci\.image\.layer(\.nondistributable)?\.v1)\.tar/;

/** Throws code `unsupported` for zstd in Docker's format, which has no type for it. */
export function layerType(format: ImageFormat, compression: LayerCompression | "plain"): string {
  if (format === "oci") {
    return compression === "plain" ? OCI_PLAIN_LAYER : `${OCI_PLAIN_LAYER}+${compression}`;
  }
  if (compression === "zstd") throw noZstd();
  return compression === "plain" ? DOCKER_PLAIN_LAYER : DOCKER_LAYER;
}

function noZstd(): DenrootError {
  return new DenrootError("unsupported", "Docker's image format has no layers with zstd", {
    hint: "Add --format oci, or compress with gzip",
  });
}

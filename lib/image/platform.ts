/** The platform that is asked for, and what to say when the image is for another. */

import { parseArchitecture } from "../oci/architecture.ts";
import { formatPlatform } from "../oci/choose_platform.ts";
import { hostArchitecture } from "../system/environment.ts";
import type { ImageConfig, OnProgress, Platform } from "../types.ts";

/** `architecture` as `uname -m` or Docker has it; this machine's when undefined. Throws code `platform`. */
export function requestedPlatform(architecture: string | undefined): Platform {
  return { os: "linux", ...parseArchitecture(architecture ?? hostArchitecture()) };
}

/** An image for one platform only is taken as it is, with a warning. */
export function warnOfMismatch(
  wanted: Platform,
  config: ImageConfig,
  onProgress: OnProgress,
): void {
  const { os = "linux", architecture = "" } = config;
  if (os === wanted.os && (architecture === wanted.architecture || architecture === "")) return;
  const actual = formatPlatform({ os, architecture, variant: config.variant });
  onProgress({
    type: "log",
    level: "warn",
    message: `The image is for ${actual}, not for ${formatPlatform(wanted)}`,
  });
}

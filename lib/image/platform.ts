/** The platform that is asked for, and what to say when the image is for another. */

import { parseArchitecture } from "../oci/architecture.ts";
import { formatPlatform } from "../oci/choose_platform.ts";
import { hostArchitecture } from "../system/host/environment.ts";
import type { ImageConfig, Platform } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";

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
  const actual = otherPlatform(wanted, config);
  if (actual === undefined) return;
  onProgress({
    type: "log",
    level: "warn",
    message: `The image is for ${formatPlatform(actual)}, not for ${formatPlatform(wanted)}`,
  });
}

/** What an image is for that is not for `wanted`; undefined when it is, or does not say. */
export function otherPlatform(wanted: Platform, config: ImageConfig): Platform | undefined {
  const { os = "linux", architecture = "", variant } = config;
  const isWanted = os === wanted.os &&
    (architecture === wanted.architecture || architecture === "");
  return isWanted ? undefined : { os, architecture, ...(variant !== undefined && { variant }) };
}

/** The platform that was asked for, and the warning about an image for another platform. */

import { parseArchitecture } from "../oci/architecture.ts";
import { formatPlatform } from "../oci/choose_platform.ts";
import { hostArchitecture } from "../system/host/environment.ts";
import type { ImageConfig, Platform } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";

/**
 * Takes the name of an architecture from `uname -m` or Docker; undefined stands for this machine's.
 * Throws code `usage` for text that cannot be a name.
 */
export function requestedPlatform(architecture: string | undefined): Platform {
  return { os: "linux", ...parseArchitecture(architecture ?? hostArchitecture()) };
}

/** An image for only one platform is accepted, with a warning when it is for another platform. */
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

/**
 * The image's platform when it is not `wanted`; undefined when it is, or when the image does not name
 * its platform.
 */
export function otherPlatform(wanted: Platform, config: ImageConfig): Platform | undefined {
  const { os = "linux", architecture = "", variant } = config;
  const isWanted = os === wanted.os &&
    (architecture === wanted.architecture || architecture === "");
  return isWanted ? undefined : { os, architecture, ...(variant !== undefined && { variant }) };
}

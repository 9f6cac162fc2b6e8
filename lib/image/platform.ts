/** The platform that was asked for, and what happens with an image for another platform. */

import { DenrootError } from "../errors.ts";
import { normalizePlatform, parseArchitecture } from "../oci/architecture.ts";
import { formatPlatform, isFitting } from "../oci/choose_platform.ts";
import { hostArchitecture } from "../system/host/environment.ts";
import type { ImageConfig, Platform, ResolvedImage } from "../types/image.ts";
import type { ImageContext } from "./image_options.ts";

/**
 * Takes the name of an architecture from `uname -m` or Docker; undefined stands for this machine's.
 * Throws code `usage` for text that cannot be a name.
 */
export function requestedPlatform(architecture: string | undefined): Platform {
  return { os: "linux", ...parseArchitecture(architecture ?? hostArchitecture()) };
}

/**
 * Compares the image's platform with the one that is wanted. An image for only one other platform is
 * accepted with a warning, unless the caller named the platform: then it throws code `platform`. Where
 * an index gave the image for the wanted platform, a configuration that says something else is only
 * worth a warning.
 */
export function checkPlatform(
  config: ImageConfig,
  image: ResolvedImage,
  { platform: wanted, isPlatformAsked, onProgress }: PlatformContext,
): void {
  const actual = otherPlatform(wanted, config);
  if (actual === undefined) return;
  const message = `The image is for ${formatPlatform(actual)}, not for ${formatPlatform(wanted)}`;
  if (isPlatformAsked && image.platform === undefined) {
    throw new DenrootError("platform", message, {
      hint:
        "There is no other image under this name. Without --arch, or platform in a definition, " +
        "denroot takes this one",
    });
  }
  onProgress({ type: "log", level: "warn", message });
}

type PlatformContext = Pick<ImageContext, "platform" | "isPlatformAsked" | "onProgress">;

/**
 * The image's platform when `wanted` cannot mean it; undefined when it can, or when the image does
 * not name its platform. Variants are compared only where both have one.
 */
export function otherPlatform(wanted: Platform, config: ImageConfig): Platform | undefined {
  const { os = "linux", architecture = wanted.architecture, variant } = config;
  const actual = normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) });
  return isFitting(wanted, { ...wanted, ...actual }) ? undefined : actual;
}

/** Which of an index's manifests is the one for a platform. */

import { DenrootError } from "../errors.ts";
import type { Descriptor, Platform } from "../types/image.ts";
import { isIndexType } from "./media_types.ts";
import { plainText } from "../text/quote_text.ts";

/**
 * The entry for `platform`: the first of those whose variant fits best. Without a variant asked
 * for, the baseline one is best (`arm64` is `arm64/v8`, `amd64` is `amd64/v1`); with one, lower
 * ones still run. Attestations (`unknown/unknown`) are never chosen. An entry without a platform
 * is chosen when it is the only one, or the first index inside the index.
 *
 * Throws code `platform`, with a list of what there is, when nothing fits: here, or in the `outer`
 * indexes that lead here.
 */
export function choosePlatform(
  entries: readonly Descriptor[],
  platform: Platform,
  outer: readonly Descriptor[] = [],
): Descriptor {
  const images = entries.filter((entry) => !isAttestation(entry));
  let best: Descriptor | undefined;
  let bestDistance = Infinity;
  for (const entry of images) {
    const distance = distanceBetween(platform, entry.platform);
    if (distance < bestDistance) [best, bestDistance] = [entry, distance];
  }
  if (best !== undefined) return best;
  const only = images.length === 1 ? images[0] : undefined;
  if (only !== undefined && isUnsaid(only.platform)) return only;
  const nested = images.find((entry) => isIndexType(entry.mediaType) && isUnsaid(entry.platform));
  if (nested !== undefined) return nested;
  throw noMatch([...outer.filter(isPlatformSaid), ...images], platform);
}

/** `linux/arm64/v8`, fit to be shown. */
export function formatPlatform(platform: Platform): string {
  const parts = [platform.os || "?", platform.architecture || "?", platform.variant];
  return plainText(parts.filter((part) => part !== undefined).join("/"));
}

/** Builders hang attestations beside images, as a platform that does not exist. */
export function isAttestation(entry: Descriptor): boolean {
  return entry.platform?.architecture === "unknown" || entry.platform?.os === "unknown" ||
    entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

function isUnsaid(platform: Platform | undefined): boolean {
  return platform === undefined || (platform.os === "" && platform.architecture === "");
}

function isPlatformSaid({ platform }: Descriptor): boolean {
  return !isUnsaid(platform) && platform?.architecture !== "unknown";
}

/** 0 for the very platform, more for one that will do, Infinity for one that will not. */
function distanceBetween(wanted: Platform, offered: Platform | undefined): number {
  if (offered === undefined || offered.architecture !== wanted.architecture) return Infinity;
  if (offered.os !== wanted.os && offered.os !== "") return Infinity;
  const baseline = BASELINES.get(wanted.architecture);
  const want = wanted.variant ?? baseline;
  const offer = offered.variant ?? baseline;
  if (want === offer) return 0;
  const [wantLevel, offerLevel] = [variantLevel(want), variantLevel(offer)];
  const isAsked = wanted.variant !== undefined;
  if (wantLevel === undefined || offerLevel === undefined) return isAsked ? Infinity : 1000;
  if (offerLevel <= wantLevel) return wantLevel - offerLevel;
  return isAsked ? Infinity : 100 + offerLevel;
}

/** What an architecture without a variant means. */
const BASELINES: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm", "v7"],
  ["arm64", "v8"],
]);

/** `v8` -> 8. */
function variantLevel(variant: string | undefined): number | undefined {
  const digits = /^v(\d{1,2})(?:\.\d{1,2})?$/.exec(variant ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function noMatch(images: readonly Descriptor[], platform: Platform): DenrootError {
  const offered = [...new Set(images.map((entry) => formatPlatform(entry.platform ?? NOWHERE)))];
  const shown = offered.slice(0, 20).join(", ");
  const rest = offered.length > 20 ? ` and ${offered.length - 20} more` : "";
  return new DenrootError(
    "platform",
    `No image for ${formatPlatform(platform)}; there is ${shown || "none for any platform"}${rest}`,
    offered.length > 0 ? { hint: "Choose one of these with --arch" } : {},
  );
}

const NOWHERE: Platform = { os: "", architecture: "" };

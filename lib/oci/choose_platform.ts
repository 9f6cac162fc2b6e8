/** Chooses the manifest for a platform from an index. */

import { DenrootError } from "../errors.ts";
import type { Descriptor, IndexEntry, Platform } from "../types/image.ts";
import { isConfigType, isIndexType } from "./media_types.ts";
import { plainText } from "../text/quote_text.ts";

/**
 * Gives the entry whose variant fits `platform` best, and the first one of several that fit equally
 * well. When `platform` has no variant, the baseline variant is best (`arm64` means `arm64/v8`,
 * `amd64` means `amd64/v1`). When it has one, lower variants fit too. Attestations
 * (`unknown/unknown`) are never chosen, artifacts and images with special features only when there
 * is nothing else. An entry without a platform is chosen when it is the only entry, or else when it
 * is the first index inside the index.
 *
 * Throws code `platform` when nothing fits. The message lists the platforms of `entries` and of
 * `outer`, which has the entries of the indexes that led to this one. Throws the fault of the chosen
 * entry, if it has one.
 */
export function choosePlatform(
  entries: readonly IndexEntry[],
  platform: Platform,
  outer: readonly IndexEntry[] = [],
): Descriptor {
  const images = entries.filter((entry) => !isAttestation(entry));
  const chosen = pick(images.filter(isOrdinary), platform) ?? pick(images, platform);
  if (chosen === undefined) throw noMatch([...outer.filter(isPlatformSaid), ...images], platform);
  return requireUsable(chosen);
}

function pick(images: readonly IndexEntry[], platform: Platform): IndexEntry | undefined {
  let best: IndexEntry | undefined;
  let bestDistance = Infinity;
  for (const entry of images) {
    const distance = distanceBetween(platform, entry.platform) + (isUsable(entry) ? 0 : 0.5);
    if (distance < bestDistance) [best, bestDistance] = [entry, distance];
  }
  if (best !== undefined) return best;
  const usable = images.filter(isUsable);
  const only = usable.length === 1 ? usable[0] : images.length === 1 ? images[0] : undefined;
  if (only !== undefined && isUnsaid(only.platform)) return only;
  return usable.find((entry) => isIndexType(entry.mediaType) && isUnsaid(entry.platform));
}

/** Throws the reason why an entry of an index cannot be used. */
export function requireUsable(entry: IndexEntry): Descriptor {
  if (entry.fault !== undefined) throw entry.fault;
  return entry;
}

export function isUsable({ fault }: IndexEntry): boolean {
  return fault === undefined;
}

/**
 * Whether any tool can use the entry as an image. Builders list images in formats of their own
 * (Nydus) and artifacts (SOCI) under the platform of the ordinary image.
 */
export function isOrdinary({ platform, artifactType = "" }: IndexEntry): boolean {
  return platform?.features === undefined && (artifactType === "" || isConfigType(artifactType));
}

/** Whether an image for `offered` runs where one for `wanted` was asked for. */
export function isFitting(wanted: Platform, offered: Platform): boolean {
  return distanceBetween(wanted, offered) < Infinity;
}

/** Gives `linux/arm64/v8`, safe to show on a terminal. */
export function formatPlatform(platform: Platform): string {
  const parts = [platform.os || "?", platform.architecture || "?", platform.variant];
  return plainText(parts.filter((part) => part !== undefined).join("/"));
}

/** Builders list attestations beside the images, under a platform that does not exist. */
export function isAttestation(entry: IndexEntry): boolean {
  return entry.platform?.architecture === "unknown" || entry.platform?.os === "unknown" ||
    entry.annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

function isUnsaid(platform: Platform | undefined): boolean {
  return platform === undefined || (platform.os === "" && platform.architecture === "");
}

function isPlatformSaid({ platform }: Descriptor): boolean {
  return !isUnsaid(platform) && platform?.architecture !== "unknown";
}

/** Gives 0 for the same platform, more for one that still runs, Infinity for one that does not. */
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

/** The variant of an architecture when none is given. */
const BASELINES: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm", "v7"],
  ["arm64", "v8"],
]);

/** Gives 8 for `v8`; undefined for text of another form. */
function variantLevel(variant: string | undefined): number | undefined {
  const digits = /^v(\d{1,2})(?:\.\d{1,2})?$/.exec(variant ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function noMatch(images: readonly IndexEntry[], platform: Platform): DenrootError {
  const readable = images.filter((entry) => isUsable(entry) || isPlatformSaid(entry));
  const offered = [...new Set(readable.map(({ platform }) => formatPlatform(platform ?? NOWHERE)))];
  const shown = offered.slice(0, 20).join(", ");
  const rest = offered.length > 20 ? ` and ${offered.length - 20} more` : "";
  const has = shown === "" ? "nor for any other platform" : `only for ${shown}${rest}`;
  const fault = images.find((entry) => !isUsable(entry) && isUnsaid(entry.platform))?.fault;
  const broken = fault === undefined ? "" : `. ${fault.message}`;
  // --arch names architectures of Linux: no other system's image can be chosen with it.
  const isChoosable = images.some(({ platform: { os, architecture } = NOWHERE }) =>
    (os === platform.os || os === "") && architecture !== ""
  );
  return new DenrootError(
    "platform",
    `There is no image for ${formatPlatform(platform)}, ${has}${broken}`,
    isChoosable ? { hint: "Choose one of these platforms with --arch" } : {},
  );
}

const NOWHERE: Platform = { os: "", architecture: "" };

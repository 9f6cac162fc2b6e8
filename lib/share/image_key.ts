/** The name of an image in a share: it says everything that decides which bytes the image has. */

import { createHash } from "node:crypto";
import type { Settings } from "../config/settings.ts";
import type { Digest } from "../types/image.ts";

/** It changes when denroot makes other images of the same layers. */
const IMAGE_FORMAT = 1;
const OPTION_CHARACTERS = 12;

/** `sha256-…-0123456789ab`: the digest of the platform's manifest, and a digest of the options. */
export function imageKey(
  digest: Digest,
  { squashOptions, sourceDateEpoch }: Pick<Settings, "squashOptions" | "sourceDateEpoch">,
): string {
  const words = squashOptions.split(/\s+/).filter((word) => word !== "");
  const options = JSON.stringify([IMAGE_FORMAT, words, sourceDateEpoch ?? null]);
  const short = createHash("sha256").update(options).digest("hex").slice(0, OPTION_CHARACTERS);
  return `${digest.replace(":", "-")}-${short}`;
}

/** The digest in a key; undefined for another text. */
export function digestInKey(key: string): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]+)-[0-9a-f]{12}$/.exec(key);
  return match === null ? undefined : `${match[1]}:${match[2]}` as Digest;
}

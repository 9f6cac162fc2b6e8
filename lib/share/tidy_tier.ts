/** Users' own tiers have no administrator: each user's imports and steps keep them within the limits. */

import fs from "node:fs";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { collectGarbage } from "./collect_garbage.ts";
import type { Tier } from "./tier.ts";

/** Its time says when the tier was tidied last. */
const STAMP = ".tidied";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Never throws: a failed import would help nobody. `share gc` meets the same trouble, and tells it. */
export function tidyTier(tier: Tier, settings: Settings): void {
  try {
    fs.writeFileSync(path.join(tier.root, STAMP), ".");
    collectGarbage(tier, {
      longestJobMs: settings.shareLongestJobMs,
      maxBytes: settings.shareMaxBytes,
      maxAgeMs: settings.shareMaxAgeMs,
    });
  } catch {
    // The image is there all the same.
  }
}

/**
 * The same, when that was not done for a day: steps leave files also where nobody imports. The time of
 * `newFile`, which was written just now, is the present time by the clock of the file system.
 */
export function tidyTierDaily(tier: Tier, settings: Settings, newFile: string): void {
  if (timeOf(newFile) - timeOf(path.join(tier.root, STAMP)) > DAY_MS) tidyTier(tier, settings);
}

function timeOf(file: string): number {
  try {
    return fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

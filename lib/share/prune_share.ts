/** Keeps this user's part of a share within limits. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError } from "../errors.ts";
import { collectGarbage, type GarbageResult } from "./collect_garbage.ts";
import { requireShare, shareError } from "./share_contents.ts";
import { openShare } from "./tier.ts";

export interface PruneShareOptions {
  /** The default is the settings'; without one there is no limit. */
  readonly maxBytes?: number | undefined;
  readonly maxAgeMs?: number | undefined;
  /** Whether to change nothing, and only tell what would be removed. */
  readonly dryRun?: boolean | undefined;
  readonly settings?: Settings | undefined;
}

/**
 * Removes this user's images from the share, the least recently used first, beside jobs that use it.
 * An image that was asked for within the time of the longest job stays. Removed images are readable
 * for another day, under another name, and take room for so long.
 *
 * Throws code `settings` when there is no share, `file` when it cannot be written.
 */
export async function pruneShare(options: PruneShareOptions = {}): Promise<GarbageResult> {
  const settings = options.settings ?? await loadSettings();
  const directory = requireShare(settings);
  try {
    const { own } = openShare(directory);
    if (own === undefined) {
      throw new DenrootError("file", `The share ${directory} has no place for this user's images`);
    }
    return collectGarbage(own, {
      longestJobMs: settings.shareLongestJobMs,
      maxBytes: options.maxBytes ?? settings.shareMaxBytes,
      maxAgeMs: options.maxAgeMs ?? settings.shareMaxAgeMs,
      dryRun: options.dryRun,
    });
  } catch (cause) {
    throw shareError(directory, cause);
  }
}

/** The cache of one import: the settings' or, where that cannot be had, one for this import alone. */

import fs from "node:fs";
import path from "node:path";
import { isSet, type Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { BlobCache } from "../layer/blob_cache.ts";
import { isMarkStale, processMark } from "../system/process_mark.ts";
import type { OnProgress } from "../types.ts";

const TEMPORARY = /^\.denroot-(.+)\.cache$/;

export interface OpenCache {
  readonly cache: BlobCache;
  /** Removes what is not to be kept. */
  [Symbol.dispose](): void;
}

/**
 * Opens the settings' cache. Where nobody named one, and the default cannot be written, layers lie
 * beside the output until the import ends: a home that is read-only, or none at all, is no reason
 * to fail. Throws code `file`.
 */
export function openCache(
  settings: Settings,
  output: string,
  onProgress: OnProgress,
): OpenCache {
  const cache = new BlobCache(settings.cachePath);
  if (isSet(settings, "ENROOT_CACHE_PATH")) {
    cache.open();
    return { cache, [Symbol.dispose]: () => {} };
  }
  try {
    cache.open();
    fs.accessSync(cache.root, fs.constants.W_OK);
    return { cache, [Symbol.dispose]: () => {} };
  } catch (error) {
    const why = messageOf((error as Error).cause ?? error);
    const message = `The cache ${cache.root} cannot be used (${why}): layers are not kept`;
    onProgress({ type: "log", level: "warn", message });
    return openTemporaryCache(path.dirname(output));
  }
}

function openTemporaryCache(parent: string): OpenCache {
  removeStale(parent);
  const cache = new BlobCache(path.join(parent, `.denroot-${processMark()}.cache`));
  cache.open();
  return {
    cache,
    [Symbol.dispose]: () => fs.rmSync(cache.root, { recursive: true, force: true }),
  };
}

/** What killed runs left. */
function removeStale(parent: string): void {
  for (const name of fs.readdirSync(parent)) {
    const mark = TEMPORARY.exec(name)?.[1];
    if (mark === undefined || !isMarkStale(mark)) continue;
    fs.rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}

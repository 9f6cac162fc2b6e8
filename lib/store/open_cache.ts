/** The cache of one command: the one in the settings or, if that cannot be used, a temporary one. */

import fs from "node:fs";
import path from "node:path";
import { isSet, type Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { BlobCache } from "./blob_cache.ts";
import { keepFresh, removeStale } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import { isForbidden } from "./cache_error.ts";
import type { Digest } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { BlobStore } from "../types/source.ts";

const TEMPORARY = /^\.denroot-(.+)\.cache$/;

interface OpenCache {
  readonly cache: BlobCache;
  /** Removes the cache, if it is a temporary one. */
  [Symbol.dispose](): void;
}

/**
 * Opens the cache that the settings name. When this user may not write to it, the cache is a
 * temporary one in the directory `instead`, and `onProgress` is told so; an import works without a
 * home directory, and beside another user's cache. The default cache is done without whatever is
 * wrong with it.
 *
 * Throws code `file` or `space` when a cache that somebody named cannot be used for another reason.
 */
export function openCache(
  settings: Settings,
  instead: string,
  onProgress: OnProgress,
): OpenCache {
  const cache = new BlobCache(settings.cachePath);
  try {
    cache.open();
    return { cache, [Symbol.dispose]: () => cache.close() };
  } catch (error) {
    const { cause } = error as Error;
    if (isSet(settings, "ENROOT_CACHE_PATH") && !isForbidden(cause)) throw error;
    const why = messageOf(cause ?? error);
    const message = `The cache ${cache.root} cannot be used (${why}): layers are not kept`;
    onProgress({ type: "log", level: "warn", message });
    return openTemporaryCache(instead);
  }
}

/** A cache that is opened late. */
export interface LateStore extends BlobStore, Disposable {
  /** As in the cache: removes a blob that turned out to be damaged. */
  remove(digest: Digest): void;
}

/**
 * The cache for a command that keeps nothing of its own there. It is opened as {@link openCache} does,
 * but only when a transport has something to keep there: few transports do.
 */
export function openStore(settings: Settings, onProgress: OnProgress): LateStore {
  const cache = new BlobCache(settings.cachePath);
  let opened: OpenCache | undefined;
  return {
    find: (blob) => opened?.cache.find(blob) ?? cache.find(blob),
    spool() {
      opened ??= openCache(settings, settings.environment.TMPDIR || "/var/tmp", onProgress);
      return opened.cache.spool();
    },
    remove(digest) {
      (opened?.cache ?? cache).remove(digest);
    },
    [Symbol.dispose]: () => opened?.[Symbol.dispose](),
  };
}

function openTemporaryCache(parent: string): OpenCache {
  removeStale(parent, (name) => TEMPORARY.exec(name)?.[1]);
  const cache = new BlobCache(path.join(parent, `.denroot-${processMark()}.cache`));
  cache.open();
  const letAge = keepFresh(cache.root);
  return {
    cache,
    [Symbol.dispose]() {
      letAge();
      cache.close();
      fs.rmSync(cache.root, { recursive: true, force: true });
    },
  };
}

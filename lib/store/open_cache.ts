/** The cache of one command: the one in the settings or, if that cannot be used, a temporary one. */

import fs from "node:fs";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { BlobCache } from "./blob_cache.ts";
import { keepFresh, removeStale } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import type { SilenceWatch } from "../system/files/silence_watch.ts";
import { reasonOf } from "./cache_error.ts";
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
 * Opens the cache that the settings name. When it cannot be written, whatever the reason is, new blobs
 * go to a temporary cache in the directory `instead`, and `onProgress` is told so; an import works
 * without a home directory, and beside another user's cache. What can be read in the cache is used.
 * `watch` may know of processes that are dead, whose fetching is not waited for.
 *
 * Throws code `file` or `space` when there is no room for a temporary cache either.
 */
export function openCache(
  settings: Settings,
  instead: string,
  onProgress: OnProgress,
  watch?: SilenceWatch,
): OpenCache {
  const cache = new BlobCache(settings.cachePath, watch);
  try {
    cache.open();
    return { cache, [Symbol.dispose]: () => cache.close() };
  } catch (error) {
    onProgress({ type: "log", level: "warn", message: doneWithout(cache, error as Error) });
    return openTemporaryCache(instead, cache);
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

function doneWithout({ root }: BlobCache, error: Error): string {
  const why = reasonOf(error.cause ?? error);
  return isReadable(path.join(root, "blobs"))
    ? `The cache ${root} cannot be written (${why}): layers that can be read there are used, and ` +
      "new ones are not kept"
    : `The cache ${root} cannot be used (${why}): layers are not kept. Set ENROOT_CACHE_PATH to a ` +
      "directory that can be written";
}

function isReadable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `unwritable` is the cache in whose place it is; its blobs are read. */
function openTemporaryCache(parent: string, unwritable: BlobCache): OpenCache {
  removeStale(parent, (name) => TEMPORARY.exec(name)?.[1]);
  const root = path.join(parent, `.denroot-${processMark()}.cache`);
  const cache = new BlobCache(root, undefined, unwritable);
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

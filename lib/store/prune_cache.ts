/**
 * Removes blobs and images from a cache, the least recently used first, beside imports and containers
 * that use it.
 */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../errors.ts";
import { fileSystemTime } from "../system/files/leftovers.ts";
import { BlobCache } from "./blob_cache.ts";
import { type Amount, amountOfFiles, cacheContents, type CachedFile } from "./cache_contents.ts";
import { cacheError, isForbidden } from "./cache_error.ts";
import { isServed, removeUnused, removeVainRecords } from "./kept_images.ts";

/** What has to go. With both limits, a blob or an image goes when one of them asks for it. */
export interface PruneOptions {
  /** What was not used for longer than this many milliseconds goes. */
  readonly olderThanMs?: number | undefined;
  /** This user's blobs and images go until they have no more than this many bytes together. */
  readonly keepBytes?: number | undefined;
  /** Whether to change nothing, and only tell what would be removed. */
  readonly dryRun?: boolean | undefined;
}

export interface PruneResult {
  /** The cache's directory, which may be absent. */
  readonly path: string;
  /** What was removed, or would be with `dryRun`; least recently used first. */
  readonly removed: readonly CachedFile[];
  /** All blobs and images that stay. */
  readonly kept: Amount;
  /** Those of them that a limit asked for, but that an import or a container may need now. */
  readonly inUse: Amount;
  /** Those of them that are other users': no limit counts them. */
  readonly others: Amount;
}

/** An import marks its blobs four times as often ({@link BlobCache.keepUsed}). */
const IN_USE_MS = 60 * 60 * 1000;

/**
 * Prunes the cache whose directory is `root`, and removes leftovers as each import does. Never
 * removed are other users' blobs, unfinished downloads of living processes, an image from which a
 * container runs, and what was used or stored in the last hour. An import that finds a blob gone all
 * the same fetches it again.
 *
 * Throws TypeError without a limit; code `file` when the cache cannot be read or written; code
 * `unsupported` when the directory is an image layout that has images.
 */
export function pruneCache(root: string, options: PruneOptions): PruneResult {
  const { olderThanMs, keepBytes, dryRun = false } = options;
  if (olderThanMs === undefined && keepBytes === undefined) {
    throw new TypeError("Pruning needs olderThanMs or keepBytes");
  }
  requireNoImages(root);
  if (!dryRun && fs.existsSync(path.join(root, "ingest"))) removeLeftovers(root);
  const { blobs, images } = cacheContents(root);
  const all = [...blobs, ...images].sort((one, other) => one.used.getTime() - other.used.getTime());
  const own = all.filter(({ isOwn }) => isOwn);
  const chosen = own.length === 0 ? { removed: [], inUse: [] } : choose(root, own, options);
  const removed = dryRun ? chosen.removed : chosen.removed.filter((file) => remove(root, file));
  if (!dryRun) removeVainRecords(root);
  const isRemoved = new Set(removed);
  return {
    path: root,
    removed,
    kept: amountOfFiles(all.filter((file) => !isRemoved.has(file))),
    inUse: amountOfFiles(chosen.inUse),
    others: amountOfFiles(all.filter(({ isOwn }) => !isOwn)),
  };
}

function removeLeftovers(root: string): void {
  try {
    new BlobCache(root).open();
  } catch (error) {
    throw isForbidden((error as Error).cause) ? notWritable(root, error) : error;
  }
}

/** `files` and the results: least recently used first. */
function choose(
  root: string,
  files: readonly CachedFile[],
  { olderThanMs = Infinity, keepBytes = Infinity }: PruneOptions,
): { readonly removed: readonly CachedFile[]; readonly inUse: readonly CachedFile[] } {
  const nowMs = timeIn(root);
  const removed: CachedFile[] = [];
  const inUse: CachedFile[] = [];
  let { bytes } = amountOfFiles(files);
  for (const file of files) {
    const ageMs = nowMs - file.used.getTime();
    if (ageMs <= olderThanMs && bytes <= keepBytes) continue;
    if (ageMs <= IN_USE_MS || file.type === "image" && isServed(path.join(root, file.file))) {
      inUse.push(file);
    } else {
      removed.push(file);
      bytes -= file.bytes;
    }
  }
  return { removed, inUse };
}

/** Returns false when something has marked, replaced, removed or begun to use it since it was listed. */
function remove(root: string, { type, file, used }: CachedFile): boolean {
  const found = path.join(root, file);
  try {
    const status = fs.lstatSync(found, { throwIfNoEntry: false });
    if (status?.mtime.getTime() !== used.getTime()) return false;
    if (type === "image") return removeUnused(found);
    fs.rmSync(found);
    return true;
  } catch (cause) {
    throw cacheError(root, cause);
  }
}

/** The blobs' times come from the file system's clock, and so does this time. */
function timeIn(root: string): number {
  const timeMs = fileSystemTime(path.join(root, "ingest"));
  if (timeMs !== undefined) return timeMs;
  throw notWritable(root);
}

function notWritable(root: string, cause?: unknown): DenrootError {
  return new DenrootError("file", `The cache ${root} cannot be written, so it cannot be pruned`, {
    cause,
    hint: "Run this as a user who may write there, where it is not mounted read-only",
  });
}

/** The cache is an image layout. Its index lists images only when another tool put them there. */
function requireNoImages(root: string): void {
  let index: unknown;
  try {
    index = JSON.parse(fs.readFileSync(path.join(root, "index.json"), "utf8"));
  } catch {
    return;
  }
  const { manifests } = (index ?? {}) as { readonly manifests?: unknown };
  if (!Array.isArray(manifests) || manifests.length === 0) return;
  throw new DenrootError("unsupported", `${root} is an image layout that has images`, {
    hint: "Pruning would break them; set ENROOT_CACHE_PATH to a cache that denroot made",
  });
}

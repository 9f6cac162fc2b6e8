/** Removes blobs from a cache, the least recently used first, beside imports that use it. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../errors.ts";
import { blobPath } from "../oci/digest.ts";
import { fileSystemTime } from "../system/files/leftovers.ts";
import { BlobCache } from "./blob_cache.ts";
import { type Amount, amountOfBlobs, cacheContents, type CachedBlob } from "./cache_contents.ts";
import { cacheError, isForbidden } from "./cache_error.ts";

/** Which blobs have to go. With both limits, a blob goes when one of them asks for it. */
export interface PruneOptions {
  /** Blobs that were not used for longer than this many milliseconds go. */
  readonly olderThanMs?: number | undefined;
  /** This user's blobs go until they have no more than this many bytes together. */
  readonly keepBytes?: number | undefined;
  /** Whether to change nothing, and only tell what would be removed. */
  readonly dryRun?: boolean | undefined;
}

export interface PruneResult {
  /** The cache's directory, which may be absent. */
  readonly path: string;
  /** What was removed, or would be with `dryRun`; least recently used first. */
  readonly removed: readonly CachedBlob[];
  /** All blobs that stay. */
  readonly kept: Amount;
  /** Those of them that a limit asked for, but that an import may need now. */
  readonly inUse: Amount;
  /** Those of them that are other users': no limit counts them. */
  readonly others: Amount;
}

/** An import marks its blobs four times as often ({@link BlobCache.keepUsed}). */
const IN_USE_MS = 60 * 60 * 1000;

/**
 * Prunes the cache whose directory is `root`, and removes leftovers as each import does. Never
 * removed are other users' blobs, unfinished downloads of living processes, and a blob that was used
 * or stored in the last hour. An import that finds a blob gone all the same fetches it again.
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
  const { blobs } = cacheContents(root);
  const own = blobs.filter(({ isOwn }) => isOwn);
  const chosen = own.length === 0 ? { removed: [], inUse: [] } : choose(own, options, timeIn(root));
  const removed = dryRun ? chosen.removed : chosen.removed.filter((blob) => remove(root, blob));
  const isRemoved = new Set(removed);
  return {
    path: root,
    removed,
    kept: amountOfBlobs(blobs.filter((blob) => !isRemoved.has(blob))),
    inUse: amountOfBlobs(chosen.inUse),
    others: amountOfBlobs(blobs.filter(({ isOwn }) => !isOwn)),
  };
}

function removeLeftovers(root: string): void {
  try {
    new BlobCache(root).open();
  } catch (error) {
    throw isForbidden((error as Error).cause) ? notWritable(root, error) : error;
  }
}

/** `blobs` and the results: least recently used first. */
function choose(
  blobs: readonly CachedBlob[],
  { olderThanMs = Infinity, keepBytes = Infinity }: PruneOptions,
  nowMs: number,
): { readonly removed: readonly CachedBlob[]; readonly inUse: readonly CachedBlob[] } {
  const removed: CachedBlob[] = [];
  const inUse: CachedBlob[] = [];
  let { bytes } = amountOfBlobs(blobs);
  for (const blob of blobs) {
    const ageMs = nowMs - blob.used.getTime();
    if (ageMs <= olderThanMs && bytes <= keepBytes) continue;
    if (ageMs <= IN_USE_MS) {
      inUse.push(blob);
    } else {
      removed.push(blob);
      bytes -= blob.bytes;
    }
  }
  return { removed, inUse };
}

/** Returns false when an import has marked, replaced or removed the blob since it was listed. */
function remove(root: string, { digest, used }: CachedBlob): boolean {
  const file = path.join(root, blobPath(digest));
  try {
    const status = fs.lstatSync(file, { throwIfNoEntry: false });
    if (status?.mtime.getTime() !== used.getTime()) return false;
    fs.rmSync(file);
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

/** What lies in a cache: blobs, unfinished ones, images, and the tools that denroot carries. */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { namesIn } from "../system/files/names_in.ts";
import type { Digest } from "../types/image.ts";
import { cacheError } from "./cache_error.ts";
import { imagesDirectory, keptFiles } from "./kept_images.ts";

/** A whole blob, or an image that `run` made, in a cache. */
export interface CachedFile {
  readonly type: "blob" | "image";
  /** A path below the cache's directory. */
  readonly file: string;
  /** A blob's own; an image's is that of the platform's manifest. */
  readonly digest: Digest;
  readonly bytes: number;
  /**
   * The file's time: the last import by the blob's owner that needed it, or else its arrival. Imports
   * by other users leave no trace. For an image it is the last `run`.
   */
  readonly used: Date;
  /** Whether it belongs to the user of this process. */
  readonly isOwn: boolean;
}

/** How many things there are, and how many bytes they have together. */
export interface Amount {
  readonly count: number;
  readonly bytes: number;
}

export interface CacheContents {
  /** The cache's directory, which may be absent. */
  readonly path: string;
  /** Least recently used first. */
  readonly blobs: readonly CachedFile[];
  /** This user's images, least recently used first. Those of others lie in private directories. */
  readonly images: readonly CachedFile[];
  /** Downloads that are under way or were stopped; the bytes that they take on the disk. */
  readonly unfinished: Amount;
  /** Files of the squashfs tools that denroot put there. */
  readonly tools: Amount;
}

const ALGORITHMS = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
/** Blobs on their way, unfinished ones that wait, and streams; leases are none of these. */
const UNFINISHED = /^[0-9a-f]+(?:@.+|\.partial)$|^spool\d+@.+$/;
const TOOLS = /^tools-\d+$/;

/**
 * Looks into the cache whose directory is `root`, and changes nothing there. An absent cache is an
 * empty one. Throws code `file` when a directory cannot be read.
 */
export function cacheContents(root: string): CacheContents {
  try {
    const unfinished = filesIn(path.join(root, "ingest"))
      .filter(({ name }) => UNFINISHED.test(name));
    const tools = namesIn(root).filter((name) => TOOLS.test(name))
      .flatMap((name) => readableFilesBelow(path.join(root, name)));
    return {
      path: root,
      blobs: blobsIn(root),
      images: imagesIn(root),
      unfinished: amountOf(unfinished.map(({ status }) => bytesOnDisk(status))),
      tools: amountOf(tools.map(({ status }) => status.size)),
    };
  } catch (cause) {
    throw cacheError(root, cause);
  }
}

/** How many files these are, and how many bytes they have. */
export function amountOfFiles(files: readonly CachedFile[]): Amount {
  return amountOf(files.map(({ bytes }) => bytes));
}

interface Found {
  readonly name: string;
  readonly status: fs.Stats;
}

function imagesIn(root: string): CachedFile[] {
  const directory = path.relative(root, imagesDirectory(root));
  return keptFiles(root).map(({ name, digest, bytes, used }) => (
    { type: "image", file: path.join(directory, name), digest, bytes, used, isOwn: true }
  ));
}

function blobsIn(root: string): CachedFile[] {
  const blobs = Object.entries(ALGORITHMS).flatMap(([algorithm, form]) =>
    filesIn(path.join(root, "blobs", algorithm))
      .filter(({ name }) => form.test(name))
      .map(({ name, status }) => ({
        type: "blob" as const,
        file: path.join("blobs", algorithm, name),
        digest: `${algorithm}:${name}` as Digest,
        bytes: status.size,
        used: status.mtime,
        isOwn: status.uid === process.geteuid!(),
      }))
  );
  return blobs.sort((one, other) => one.used.getTime() - other.used.getTime());
}

/** The regular files of a directory. Files may come and go meanwhile. */
function filesIn(directory: string): Found[] {
  return namesIn(directory).flatMap((name) => {
    const status = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false });
    return status?.isFile() ? [{ name, status }] : [];
  });
}

/** Without what this user may not read: each user's tools lie in a private directory. */
function readableFilesBelow(directory: string): Found[] {
  try {
    const deeper = fs.readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => readableFilesBelow(path.join(directory, name)));
    return [...filesIn(directory), ...deeper];
  } catch {
    return [];
  }
}

/** An unfinished blob has holes. */
function bytesOnDisk({ size, blocks }: fs.Stats): number {
  return Math.min(size, blocks * 512);
}

function amountOf(sizes: readonly number[]): Amount {
  return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/**
 * Image files that a cache keeps, so that `run` makes them once. Each user has a directory of their own,
 * because a container runs what is in the file.
 */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { namesIn } from "../system/files/names_in.ts";
import { tryLock } from "../system/linux/file_lock.ts";
import type { Digest } from "../types/image.ts";

/** The manifest's digest, and what else decides about the file's bytes. */
const IMAGE = /^(sha256|sha512)-([0-9a-f]{64}(?:[0-9a-f]{64})?)\.[0-9a-f]{16}\.sqsh$/;
/** What an image was found by: a text file with the image's name in it. */
const RECORD = /^[0-9a-f]{64}\.name$/;
/** In a user namespace root has another user's number, and may not read what lies under it. */
const UNREACHED = ["ENOENT", "EACCES"];
/** More than any record has. */
const MAX_RECORD_BYTES = 512;

/** A kept image file. */
export interface KeptFile {
  /** The name in {@link imagesDirectory}. */
  readonly name: string;
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  readonly bytes: number;
  /** When a container was last started from it by `run`. */
  readonly used: Date;
}

/** Where this user's images lie in the cache whose directory is `root`. */
export function imagesDirectory(root: string): string {
  return path.join(root, `images-${process.geteuid!()}`);
}

/** `variant` has 16 hexadecimal digits: what the digest does not say. */
export function imageName(digest: Digest, variant: string): string {
  return `${digest.replace(":", "-")}.${variant}.sqsh`;
}

/** `key` has 64 hexadecimal digits. */
export function recordName(key: string): string {
  return `${key}.name`;
}

/** The image's name in a record; undefined where there is none. */
export function readRecord(file: string): string | undefined {
  try {
    if (fs.statSync(file).size > MAX_RECORD_BYTES) return undefined;
    const name = fs.readFileSync(file, "latin1").trim();
    return IMAGE.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** This user's images, the least recently used first. Throws the system's errors. */
export function keptFiles(root: string): KeptFile[] {
  const directory = imagesDirectory(root);
  const files = namesIn(directory, UNREACHED).flatMap((name) => {
    const [, algorithm, hex] = IMAGE.exec(name) ?? [];
    if (algorithm === undefined) return [];
    const status = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false });
    if (!status?.isFile()) return [];
    const digest = `${algorithm}:${hex}` as Digest;
    return [{ name, digest, bytes: status.size, used: status.mtime }];
  });
  return files.sort((one, other) => one.used.getTime() - other.used.getTime());
}

/**
 * Removes an image, unless a container that was started from it runs, on whichever machine: what serves
 * the image holds a lock on the file. Gives whether it was removed. Throws the system's errors.
 */
export function removeUnused(file: string): boolean {
  return ifUnused(file, () => fs.rmSync(file));
}

/** Calls `use` while nobody can begin to serve the image; gives false where somebody does. */
function ifUnused(file: string, use: () => void): boolean {
  // For writing: NFS grants the lock to nobody else.
  const descriptor = fs.openSync(file, "r+");
  try {
    if (!tryLock(descriptor, "alone", file)) return false;
    use();
    return true;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Whether a container that was started from the image runs. */
export function isServed(file: string): boolean {
  return !ifUnused(file, () => {});
}

/** Removes the records that lead to no image. */
export function removeVainRecords(root: string): void {
  const directory = imagesDirectory(root);
  for (const record of namesIn(directory, UNREACHED).filter((name) => RECORD.test(name))) {
    const name = readRecord(path.join(directory, record));
    if (name !== undefined && fs.existsSync(path.join(directory, name))) continue;
    fs.rmSync(path.join(directory, record), { force: true });
  }
}

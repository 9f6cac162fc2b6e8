/** Removes images from a tier, the least recently used first, beside jobs that use it. */

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, systemCode } from "../errors.ts";
import { fileSystemTime } from "../system/files/leftovers.ts";
import { namesIn } from "../system/files/names_in.ts";
import { keyOf, markUsed } from "./finished_images.ts";
import { makePart, partOf, type Tier } from "./tier.ts";

export interface GarbageOptions {
  /** Images that were asked for within this time stay: a job may use them. */
  readonly longestJobMs: number;
  readonly maxBytes?: number | undefined;
  readonly maxAgeMs?: number | undefined;
  /** Whether to change nothing, and only tell what would be removed. */
  readonly dryRun?: boolean | undefined;
}

export interface StoredImage {
  /** The file's name. */
  readonly name: string;
  readonly key: string;
  readonly bytes: number;
  /** When a step or a command last asked for it, by the clock of the file system. */
  readonly used: Date;
}

export interface GarbageResult {
  /** Least recently used first. */
  readonly removed: readonly StoredImage[];
  readonly kept: readonly StoredImage[];
  /** Those of the kept ones that a limit asked for, but that a job may use. */
  readonly inUse: readonly StoredImage[];
}

/**
 * What was removed stays readable for so long, under another name: for a node that was given the path
 * just before, and for a job that takes longer than the longest one.
 */
const TRASH_MS = 24 * 60 * 60 * 1000;
/** What steps and imports left, without any change for so long. */
const OLD_MS = 24 * 60 * 60 * 1000;

/** All images of a tier, the least recently used first. Throws the system's errors. */
export function storedImages(tier: Tier): StoredImage[] {
  const images = namesIn(partOf(tier, "images")).flatMap((name) => {
    const key = keyOf(name);
    const status = fs.lstatSync(partOf(tier, "images", name), { throwIfNoEntry: false });
    if (key === undefined || !status?.isFile()) return [];
    return [{ name, key, bytes: status.size, used: new Date(lastUse(tier, key, status)) }];
  });
  return images.sort((one, other) => one.used.getTime() - other.used.getTime());
}

/**
 * Removes what the limits ask for, and what died long ago. No open file is deleted: an image goes to
 * `trash/` first, and is deleted there a day later.
 *
 * Throws code `file` when the tier cannot be written, and the system's errors.
 */
export function collectGarbage(tier: Tier, options: GarbageOptions): GarbageResult {
  const nowMs = fileSystemTime(tier.root);
  if (nowMs === undefined) {
    throw new DenrootError("file", `${tier.root} cannot be written, so nothing can be removed`, {
      hint: "Run this as the user who owns it, on a machine that may write there",
    });
  }
  const stored = storedImages(tier);
  const { chosen, inUse } = choose(stored, nowMs, options);
  const removed = options.dryRun
    ? chosen
    : chosen.filter((image) => moveToTrash(tier, image, nowMs));
  if (!options.dryRun) {
    emptyTrash(tier, nowMs);
    removeOldMarks(tier, stored, nowMs - options.longestJobMs);
    for (const part of ["steps", "work"] as const) removeOldDirectories(tier, part, nowMs);
  }
  const isRemoved = new Set(removed);
  return { removed, kept: stored.filter((image) => !isRemoved.has(image)), inUse };
}

function choose(
  stored: readonly StoredImage[],
  nowMs: number,
  { longestJobMs, maxBytes = Infinity, maxAgeMs = Infinity }: GarbageOptions,
): { readonly chosen: readonly StoredImage[]; readonly inUse: readonly StoredImage[] } {
  const chosen: StoredImage[] = [];
  const inUse: StoredImage[] = [];
  let bytes = stored.reduce((sum, image) => sum + image.bytes, 0);
  for (const image of stored) {
    const ageMs = nowMs - image.used.getTime();
    if (ageMs <= maxAgeMs && bytes <= maxBytes) continue;
    if (ageMs <= longestJobMs) {
      inUse.push(image);
    } else {
      chosen.push(image);
      bytes -= image.bytes;
    }
  }
  return { chosen, inUse };
}

/** A process that asks for the image marks it before it looks for it: such an image comes back. */
function moveToTrash(tier: Tier, image: StoredImage, nowMs: number): boolean {
  const file = partOf(tier, "images", image.name);
  if (!isUnused(tier, image, file)) return false;
  const trash = path.join(
    makePart(tier, "trash"),
    `${image.name}.${randomBytes(4).toString("hex")}`,
  );
  fs.renameSync(file, trash);
  if (isUnused(tier, image, trash)) {
    fs.utimesSync(trash, nowMs / 1000, nowMs / 1000);
    fs.rmSync(partOf(tier, "uses", image.key), { force: true });
    return true;
  }
  try {
    fs.linkSync(trash, file);
    fs.rmSync(trash);
  } catch (error) {
    // Another node has made the image anew. This one is deleted a day from now.
    if (systemCode(error) === "EEXIST") fs.utimesSync(trash, nowMs / 1000, nowMs / 1000);
    // Where there are no links, each image has a name of its own.
    else fs.renameSync(trash, file);
  }
  markUsed(tier, image.key);
  return false;
}

function isUnused(tier: Tier, { key, used }: StoredImage, file: string): boolean {
  const status = fs.lstatSync(file, { throwIfNoEntry: false });
  return status !== undefined && lastUse(tier, key, status) === used.getTime();
}

/** Milliseconds since 1970, by the clock of the file system. */
function lastUse(tier: Tier, key: string, image: fs.Stats): number {
  const mark = fs.statSync(partOf(tier, "uses", key), { throwIfNoEntry: false });
  return Math.floor(Math.max(image.mtimeMs, mark?.mtimeMs ?? 0));
}

function emptyTrash(tier: Tier, nowMs: number): void {
  for (const name of namesIn(partOf(tier, "trash"))) {
    const file = partOf(tier, "trash", name);
    const status = fs.lstatSync(file, { throwIfNoEntry: false });
    if (status !== undefined && nowMs - status.mtimeMs > TRASH_MS) fs.rmSync(file, { force: true });
  }
}

/** A process that asks for an image marks it, also when there is none and it cannot be made. */
function removeOldMarks(tier: Tier, stored: readonly StoredImage[], untilMs: number): void {
  const keys = new Set(stored.map(({ key }) => key));
  for (const key of namesIn(partOf(tier, "uses"))) {
    const file = partOf(tier, "uses", key);
    const status = keys.has(key) ? undefined : fs.lstatSync(file, { throwIfNoEntry: false });
    if (status !== undefined && status.mtimeMs < untilMs) fs.rmSync(file, { force: true });
  }
}

/** The lease of a process that works there grows, so its directory does not get old. */
function removeOldDirectories(tier: Tier, part: "steps" | "work", nowMs: number): void {
  for (const name of namesIn(partOf(tier, part))) {
    const directory = partOf(tier, part, name);
    if (isOld(directory, nowMs)) fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** Most are young, which one look at the directory itself shows. */
function isOld(file: string, nowMs: number): boolean {
  const status = fs.lstatSync(file, { throwIfNoEntry: false });
  if (status === undefined || nowMs - status.mtimeMs <= OLD_MS) return false;
  return !status.isDirectory() ||
    namesIn(file).every((name) => isOld(path.join(file, name), nowMs));
}

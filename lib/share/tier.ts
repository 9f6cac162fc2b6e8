/**
 * The directories of a share. The owner decides what a directory is: one's own is this user's tier;
 * another user's is the site's tier, which this user only reads, and the user's own tier is then the
 * directory `users/UID` in it.
 *
 * A tier has `images/` with finished images, `work/KEY/` for those that are being made, `steps/NAME/`
 * for what the nodes of a job step tell each other, `uses/KEY` for the last use, and `trash/`.
 */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { messageOf, systemCode } from "../errors.ts";
import { ShareTrouble } from "./share_trouble.ts";

export type TierPart = "images" | "work" | "steps" | "uses" | "trash";

export interface Tier {
  readonly root: string;
  /** Only this user's files count in it. */
  readonly owner: number;
  /** Permission bits of its directories. */
  readonly mode: number;
  /** False for the site's tier, and where the file system is read-only. */
  readonly isWritable: boolean;
}

export interface Share {
  /** Undefined where this user has no place of their own. */
  readonly own: Tier | undefined;
  /** Undefined where the share is this user's own. */
  readonly site: Tier | undefined;
}

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Opens the share in `directory`, and makes this user's tier in it. Throws {@link ShareTrouble} when
 * it cannot be used, or when others could put their own images there.
 */
export function openShare(directory: string): Share {
  const status = statusOf(directory) ?? makeRoot(directory);
  // The sticky bit would not help: others could make the directories of the parts before their owner.
  if ((status.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new ShareTrouble(`other users may write to ${directory}, so its images prove nothing`);
  }
  if (status.uid === ownUser()) return { own: tierOf(directory, status), site: undefined };
  return {
    own: userTier(path.join(directory, "users")),
    site: siteTier(directory, status),
  };
}

/** The path of a part of the tier. It may be absent. */
export function partOf(tier: Tier, part: TierPart, ...names: readonly string[]): string {
  return path.join(tier.root, part, ...names);
}

/** Makes a part of a tier, or a directory in it. Throws the system's errors. */
export function makePart(tier: Tier, part: TierPart, ...names: readonly string[]): string {
  const directory = partOf(tier, part, ...names);
  try {
    makeDirectory(directory, tier.mode);
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || names.length === 0) throw error;
    makePart(tier, part, ...names.slice(0, -1));
    makeDirectory(directory, tier.mode);
  }
  return directory;
}

function tierOf(root: string, status: fs.Stats): Tier {
  return { root, owner: status.uid, mode: status.mode & 0o755, isWritable: isWritable(root) };
}

function siteTier(root: string, status: fs.Stats): Tier {
  return { ...tierOf(root, status), isWritable: false };
}

/**
 * `users` has to let every user make a directory that no other user can take away. Undefined where
 * this user has none: it is not made, or another user made it first.
 */
function userTier(users: string): Tier | undefined {
  const parent = fs.lstatSync(users, { throwIfNoEntry: false });
  if (parent === undefined) return undefined;
  if ((parent.mode & WRITABLE_BY_OTHERS) !== 0 && (parent.mode & STICKY) === 0) {
    throw new ShareTrouble(`${users} lacks the sticky bit, so users could replace others' images`);
  }
  const root = path.join(users, String(ownUser()));
  try {
    makeDirectory(root, 0o700);
  } catch (error) {
    if (fs.lstatSync(root, { throwIfNoEntry: false }) === undefined) return undefined;
    throw error;
  }
  const status = fs.lstatSync(root);
  return isSafe(status, ownUser()) ? tierOf(root, status) : undefined;
}

/** Whether it is a directory of `owner` that nobody else can change. */
function isSafe(status: fs.Stats | undefined, owner: number): boolean {
  return status !== undefined && status.isDirectory() && status.uid === owner &&
    (status.mode & WRITABLE_BY_OTHERS) === 0;
}

function makeRoot(directory: string): fs.Stats {
  try {
    fs.mkdirSync(directory, { mode: 0o700, recursive: true });
    return fs.statSync(directory);
  } catch (cause) {
    throw new ShareTrouble(`it cannot be made: ${messageOf(cause)}`, { cause });
  }
}

/** The umask has no say. A directory that is there keeps its mode. */
function makeDirectory(directory: string, mode: number): void {
  try {
    fs.mkdirSync(directory, { mode });
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    // A read-only file system says so also of a directory that is there.
    if (systemCode(error) === "EROFS" && statusOf(directory)?.isDirectory()) return;
    throw error;
  }
  fs.chmodSync(directory, mode);
}

function statusOf(name: string): fs.Stats | undefined {
  try {
    return fs.statSync(name, { throwIfNoEntry: false });
  } catch (cause) {
    throw new ShareTrouble(`it cannot be used: ${messageOf(cause)}`, { cause });
  }
}

function isWritable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function ownUser(): number {
  return process.geteuid!();
}

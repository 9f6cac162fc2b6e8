/** Temporary files in directories that many processes use: they are kept fresh, and removed at last. */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { DenrootError, messageOf } from "../../errors.ts";
import { lifeOf, parseMark, processMark } from "./process_mark.ts";

/** What nobody kept fresh for this long belongs to nobody. */
const OLD_MS = 24 * 60 * 60 * 1000;
/** Much shorter, so that many failures in a row do no harm. */
const REFRESH_MS = 5 * 60 * 1000;
/** A time further ahead of the file system's clock came from another clock. */
const AHEAD_MS = 60_000;
/** What a question for the file system's time is asked with, while it is asked. */
const PROBE = /^\.denroot-(.+)\.now$/;

/**
 * Removes what dead processes left in a directory. `markOf` finds a process mark in a name. What a
 * living process made stays.
 *
 * Where nobody can say whether the process lives, its file stays until it is a day old by the file
 * system's own clock: each process keeps its files fresh (see {@link keepFresh}) by that clock. This
 * is right on file systems whose server has the clock (NFS, SMB) whatever the hosts' clocks say, and
 * on those whose hosts write their own times (Lustre) while clocks differ by less than a day. To look
 * at a file twice would need no clock, but most commands end before a second look would say much.
 *
 * A leftover that cannot be removed stays: it may be another user's, and it does no harm. Throws code
 * `file` when the directory cannot be read.
 */
export function removeStale(directory: string, markOf: (name: string) => string | undefined): void {
  for (const file of staleFiles(directory, markOf)) removeLeftover(file);
}

/** The paths of what {@link removeStale} would try to remove. */
export function* staleFiles(
  directory: string,
  markOf: (name: string) => string | undefined,
): Iterable<string> {
  const clock = new FileSystemClock(directory);
  for (const name of listed(directory)) {
    const mark = PROBE.exec(name)?.[1] ?? markOf(name);
    if (mark === undefined || parseMark(mark) === undefined) continue;
    const file = path.join(directory, name);
    const life = lifeOf(mark);
    if (life === "dead" || life === "unknown" && isOld(file, clock)) yield file;
  }
}

/** Removes those of the files named by `isLeftover` that are a day old by the file system's clock. */
export function removeOld(directory: string, isLeftover: (name: string) => boolean): void {
  const clock = new FileSystemClock(directory);
  for (const name of listed(directory).filter(isLeftover)) {
    const file = path.join(directory, name);
    if (isOld(file, clock)) removeLeftover(file);
  }
}

/**
 * Keeps this process's file or directory from becoming a leftover in the eyes of others. It may be
 * absent. Returns the function that ends this.
 */
export function keepFresh(file: string, everyMs = REFRESH_MS): () => void {
  const timer = setInterval(() => refresh(file, fileSystemTime(path.dirname(file))), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Removes a file, or a directory that belongs to this user, if that can be done. Even root leaves
 * another user's directory alone: while it is emptied, its owner could put a symlink in the way.
 */
function removeLeftover(file: string): void {
  try {
    const status = fs.lstatSync(file);
    if (status.isDirectory() && status.uid !== process.geteuid!()) return;
    fs.rmSync(file, { recursive: true, force: true });
  } catch {
    // It may be another user's, in a shared directory.
  }
}

/** Asks for the time at most once. */
class FileSystemClock {
  readonly #directory: string;
  #asked = false;
  #timeMs: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  timeMs(): number | undefined {
    if (!this.#asked) this.#timeMs = fileSystemTime(this.#directory);
    this.#asked = true;
    return this.#timeMs;
  }
}

/** Nothing is old where the file system does not tell its time. */
function isOld(file: string, clock: FileSystemClock): boolean {
  const nowMs = clock.timeMs();
  const status = fs.lstatSync(file, { throwIfNoEntry: false });
  if (status === undefined || nowMs === undefined) return false;
  // A time in the future would make it stay for ever. Its writer, if it lives, sets the time again.
  if (status.mtimeMs - nowMs > AHEAD_MS) refresh(file, nowMs);
  return nowMs - status.mtimeMs > OLD_MS;
}

/**
 * Gives files the file system's present time, asked for in `directory`. Files that are absent or
 * another user's stay as they are.
 */
export function refreshAll(files: readonly string[], directory: string): void {
  const nowMs = fileSystemTime(directory);
  for (const file of files) refresh(file, nowMs);
}

/** Milliseconds since 1970, as the file system sets the time of what is made in the directory now. */
export function fileSystemTime(directory: string): number | undefined {
  const probe = path.join(directory, `.denroot-${processMark()}.now`);
  try {
    fs.mkdirSync(probe, { mode: 0o700 });
    const { mtimeMs } = fs.lstatSync(probe);
    fs.rmdirSync(probe);
    return mtimeMs;
  } catch {
    return undefined;
  }
}

function refresh(file: string, nowMs: number | undefined): void {
  if (nowMs === undefined) return;
  try {
    fs.lutimesSync(file, nowMs / 1000, nowMs / 1000);
  } catch {
    // It is not there (yet), or it is another user's.
  }
}

function listed(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (cause) {
    throw new DenrootError("file", `${directory} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

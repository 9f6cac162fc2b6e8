/**
 * Who does a thing that several processes, perhaps on several hosts, want to be done once. The
 * lease's file holds the process mark of its holder, which renews the file's time while it works.
 *
 * A lease saves work and guards nothing: for a moment two processes may hold it, when one of them
 * was taken for dead. The work must be right even then.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, throwIfAborted } from "../../errors.ts";
import { Backoff } from "./backoff.ts";
import { isMarkStale, parseMark, processMark, removeLeftover } from "./process_mark.ts";

/** A lease that was not renewed for this long is stale, even when its holder is on another host. */
const STALE_MS = 60_000;
const RENEW_MS = 10_000;
/** Longer than any process mark. */
const MAX_MARK_BYTES = 256;

/** The process that holds a lease. */
export interface Holder {
  readonly mark: string;
  /** Undefined, like `pid`, when the file does not say it. */
  readonly host: string | undefined;
  readonly pid: number | undefined;
}

/** This process does the thing, until {@link release}. It is renewed meanwhile. */
export class Lease {
  readonly #file: string;
  readonly #mark: string;
  readonly #timer: ReturnType<typeof setInterval>;

  /** For {@link takeLease}: `file` holds `mark`. */
  constructor(file: string, mark: string) {
    this.#file = file;
    this.#mark = mark;
    this.#timer = setInterval(() => renew(file, mark), RENEW_MS);
    this.#timer.unref();
  }

  /** Lets others do the thing, or see that it is done. Never throws; may be called twice. */
  release(): void {
    clearInterval(this.#timer);
    try {
      removeMark(this.#file, this.#mark);
    } catch {
      // The lease is not renewed any more, so others take it over when it is stale.
    }
  }
}

/**
 * Takes the lease whose file is `file`, or says who holds it. A stale lease is taken over. Throws
 * the system's errors, when the directory cannot be written, say.
 */
export function takeLease(file: string): Lease | Holder {
  const mark = processMark();
  for (;;) {
    if (createFile(file, mark)) return new Lease(file, mark);
    const found = look(file);
    if (found === undefined) continue;
    if (!isStale(found)) return holderOf(found.mark);
    removeMark(file, found.mark);
  }
}

/** The process that holds a lease; undefined when there is no lease, or only a stale one. */
export function leaseHolder(file: string): Holder | undefined {
  const found = look(file);
  return found === undefined || isStale(found) ? undefined : holderOf(found.mark);
}

/**
 * Takes a lease as soon as nobody else holds it. `onHeld` is told of every holder that is waited
 * for, once. Throws as {@link takeLease} does, and code `aborted`.
 */
export async function waitForLease(
  file: string,
  { signal, onHeld }: { readonly signal: AbortSignal; readonly onHeld?: (holder: Holder) => void },
): Promise<Lease> {
  const pauses = new Backoff();
  let waitedFor: string | undefined;
  for (;;) {
    throwIfAborted(signal);
    const taken = takeLease(file);
    if (taken instanceof Lease) return taken;
    if (taken.mark !== waitedFor) onHeld?.(taken);
    waitedFor = taken.mark;
    do {
      await sleep(pauses.next(), undefined, { signal }).catch(() => {
        throw abortedError(signal);
      });
    } while (leaseHolder(file)?.mark === waitedFor);
  }
}

/** For people: `process 4711 on host n17`. */
export function describeHolder({ host, pid }: Holder): string {
  return host === undefined ? "another process" : `process ${pid} on host ${host}`;
}

/** Removes the file of a stale lease, if it can be removed. Never throws. */
export function removeStaleLease(file: string): void {
  try {
    if (leaseHolder(file) === undefined) removeLeftover(file);
  } catch {
    // A file that cannot be read may be another user's.
  }
}

interface Found {
  readonly mark: string;
  /** When the lease was renewed, in milliseconds since 1970. */
  readonly renewedMs: number;
}

/** Returns undefined when there is no such file. */
function look(file: string): Found | undefined {
  try {
    // Opening asks the server of a network file system; a stat gets an old answer for up to 60 s.
    const descriptor = fs.openSync(file, "r");
    try {
      const buffer = Buffer.alloc(MAX_MARK_BYTES);
      const { mtimeMs } = fs.fstatSync(descriptor);
      const length = fs.readSync(descriptor, buffer);
      return { mark: buffer.toString("latin1", 0, length), renewedMs: mtimeMs };
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESTALE") return undefined;
    if (code !== "EACCES") throw error;
    const status = fs.statSync(file, { throwIfNoEntry: false });
    return status && { mark: "", renewedMs: status.mtimeMs };
  }
}

function isStale({ mark, renewedMs }: Found): boolean {
  return isMarkStale(mark) || Date.now() - renewedMs > STALE_MS;
}

function holderOf(mark: string): Holder {
  const parts = parseMark(mark);
  return { mark, host: parts?.host, pid: parts?.pid };
}

/** Returns false when the file exists already. */
function createFile(file: string, text: string): boolean {
  let descriptor: number;
  try {
    // Other users of a shared directory may see who works there.
    descriptor = fs.openSync(file, "wx", 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    fs.writeSync(descriptor, text, null, "latin1");
    return true;
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

function renew(file: string, mark: string): void {
  try {
    if (look(file)?.mark === mark) fs.utimesSync(file, new Date(), new Date());
  } catch {
    // The file went away just now: two processes then do the thing, and both are right.
  }
}

/** Leaves the file alone when another process has taken the lease since. */
function removeMark(file: string, mark: string): void {
  if (look(file)?.mark === mark) fs.rmSync(file, { force: true });
}

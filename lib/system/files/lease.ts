/**
 * Who does a thing that several processes, perhaps on several hosts, want to be done once. The
 * lease's file holds the process mark of its holder, which adds a byte to it while it works.
 *
 * A lease is stale when its holder is dead for certain or was given up by the process that looks, or
 * when its file did not change for a minute by that process's clock. No clocks of two hosts are
 * compared: they may differ, and a file system may give either's time. So the lease of a dead host costs
 * the next process a minute.
 *
 * A lease saves work and guards nothing: for a moment two processes may hold it, when one of them
 * was taken for dead. The work must be right even then. So a lease that another user left in a sticky
 * directory, where it cannot be removed, is passed over.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, systemCode, throwIfAborted } from "../../errors.ts";
import { Backoff } from "./backoff.ts";
import { lifeOf, parseMark, processMark } from "./process_mark.ts";
import { SilenceWatch } from "./silence_watch.ts";

/** A lease that did not change for this long is stale, even when its holder may live. */
const STALE_MS = 60_000;
const RENEW_MS = 10_000;
/** Longer than any process mark. */
const MAX_MARK_BYTES = 256;
/** Another user may have put a symlink, or a pipe that nobody writes to, in a lease's place. */
const SAFELY = fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

/** The process that holds a lease. */
export interface Holder {
  readonly mark: string;
  /** Undefined, like `pid`, when the file does not say it. */
  readonly host: string | undefined;
  readonly pid: number | undefined;
}

/** This process does the thing, until {@link release}. It is renewed meanwhile. */
export class Lease {
  readonly #file: string | undefined;
  readonly #mark: string;
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** For {@link takeLease}: `file` holds `mark`. Without a file other processes know nothing of it. */
  constructor(file: string | undefined, mark: string) {
    this.#file = file;
    this.#mark = mark;
    if (file === undefined) return;
    this.#timer = setInterval(() => renew(file, mark), RENEW_MS);
    this.#timer.unref();
  }

  /** Lets others do the thing, or see that it is done. Never throws; may be called twice. */
  release(): void {
    clearInterval(this.#timer);
    try {
      if (this.#file !== undefined) removeIf(this.#file, ({ mark }) => mark === this.#mark);
    } catch {
      // The lease is not renewed any more, so others take it over when it is stale.
    }
  }
}

/**
 * Takes the lease whose file is `file`, or says who holds it. A stale lease is taken over: `watch`
 * has what this process saw of it before. Throws the system's errors, when the directory cannot be
 * written, say.
 */
export function takeLease(file: string, watch: SilenceWatch): Lease | Holder {
  const mark = processMark();
  for (;;) {
    if (createFile(file, mark)) return new Lease(file, mark);
    const found = look(file);
    if (found === undefined) continue;
    if (!isStale(file, found, watch)) return holderOf(found.mark);
    try {
      removeIf(file, ({ state }) => state === found.state);
    } catch {
      return new Lease(undefined, mark);
    }
  }
}

/** The process that holds a lease; undefined when there is no lease, or only a stale one. */
export function leaseHolder(file: string, watch: SilenceWatch): Holder | undefined {
  const found = look(file);
  return found === undefined || isStale(file, found, watch) ? undefined : holderOf(found.mark);
}

/** The mark in a lease's file; undefined when there is none that can be read. */
export function leaseMark(file: string): string | undefined {
  return look(file)?.mark || undefined;
}

export interface WaitOptions {
  readonly signal: AbortSignal;
  /** It is told of every holder that is waited for, once. */
  readonly onHeld?: (holder: Holder) => void;
  readonly watch?: SilenceWatch;
}

/** Takes a lease as soon as nobody else holds it. Throws as {@link takeLease} does, and `aborted`. */
export async function waitForLease(
  file: string,
  { signal, onHeld, watch = new SilenceWatch() }: WaitOptions,
): Promise<Lease> {
  const pauses = new Backoff();
  let waitedFor: string | undefined;
  for (;;) {
    throwIfAborted(signal);
    const taken = takeLease(file, watch);
    if (taken instanceof Lease) return taken;
    if (taken.mark !== waitedFor) onHeld?.(taken);
    waitedFor = taken.mark;
    do {
      await sleep(pauses.next(), undefined, { signal }).catch(() => {
        throw abortedError(signal);
      });
    } while (leaseHolder(file, watch)?.mark === waitedFor);
  }
}

/** For people: `process 4711 on host n17`. */
export function describeHolder({ host, pid }: Holder): string {
  return host === undefined ? "another process" : `process ${pid} on host ${host}`;
}

interface Found {
  /** Empty when the file does not say it, or cannot be read. */
  readonly mark: string;
  /** It is another one after each change of the file. */
  readonly state: string;
}

/** Returns undefined when there is no such file. */
function look(file: string): Found | undefined {
  try {
    // Opening asks the server of a network file system; a stat gets an old answer for up to 60 s.
    const descriptor = fs.openSync(file, fs.constants.O_RDONLY | SAFELY);
    try {
      const buffer = Buffer.alloc(MAX_MARK_BYTES);
      const status = fs.fstatSync(descriptor);
      const length = status.isFile() ? fs.readSync(descriptor, buffer) : 0;
      const [mark] = buffer.toString("latin1", 0, length).split("\n");
      return { mark: mark!, state: stateOf(status) };
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    if (["ENOENT", "ESTALE"].includes(systemCode(error))) return undefined;
    // Another user's file that nobody else can read, or no file at all.
    const status = fs.lstatSync(file, { throwIfNoEntry: false });
    return status && { mark: "", state: stateOf(status) };
  }
}

function stateOf({ ino, size, mtimeMs, ctimeMs }: fs.Stats): string {
  return [ino, size, mtimeMs, ctimeMs].join(" ");
}

function isStale(file: string, { mark, state }: Found, watch: SilenceWatch): boolean {
  return watch.isGivenUp(mark) || lifeOf(mark) === "dead" ||
    watch.silentMs(file, state) >= STALE_MS;
}

function holderOf(mark: string): Holder {
  const parts = parseMark(mark);
  return { mark, host: parts?.host, pid: parts?.pid };
}

/** Returns false when the file exists already. */
function createFile(file: string, mark: string): boolean {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, "wx", 0o644);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
  try {
    fs.writeSync(descriptor, `${mark}\n`, null, "latin1");
    // Other users of a shared directory may see who works there, whatever the umask says.
    fs.fchmodSync(descriptor, 0o644);
    return true;
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Others see a file that grows, whatever the clocks of the hosts and of the file system say. */
function renew(file: string, mark: string): void {
  try {
    if (look(file)?.mark !== mark) return;
    const { O_WRONLY, O_APPEND } = fs.constants;
    const descriptor = fs.openSync(file, O_WRONLY | O_APPEND | SAFELY);
    try {
      fs.writeSync(descriptor, ".");
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    // The file went away just now: two processes then do the thing, and both are right.
  }
}

/** Leaves the file alone when it has become another process's lease since. */
function removeIf(file: string, isMeant: (found: Found) => boolean): void {
  const found = look(file);
  if (found !== undefined && isMeant(found)) fs.rmSync(file, { force: true });
}

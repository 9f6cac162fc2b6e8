/**
 * Who does a thing that many nodes want to be done once. A lease is a file `lease.G` in a directory
 * of its own, made by a link, so that one node alone gets generation G. Its holder adds a byte to it
 * now and then. When it did not grow for the lease time, by the clock of the node that looks, another
 * node makes generation G + 1. Nobody removes another's lease. A holder that ends renames its own:
 * `done.G`, `failed.G` when another node may do better, `over.G` when it was stopped.
 *
 * A lease saves work and guards nothing: a holder that was only asleep does no harm when it goes on.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { lifeOf, parseMark } from "../system/files/process_mark.ts";
import { SilenceWatch } from "../system/files/silence_watch.ts";
import { lacksLinks } from "./share_trouble.ts";

/** How many signs of life a lease time has. */
const SIGNS = 12;
/** How many looks at a lease's file a lease time has: each costs the file system some calls. */
const LOOKS = 8;
/** A longer pause between two looks would not be counted in full. */
const MAX_LOOK_MS = 10_000;
const MAX_BYTES = 4096;
const LEASE = /^(lease|done|failed|over)\.(\d{1,9})$/;

export type Ending = "done" | "failed" | "over";

/** The newest lease in a directory. */
export interface LeaseState {
  /** 0 when there was none yet. */
  readonly generation: number;
  readonly state: "free" | "held" | Ending;
  /** How many holders failed. */
  readonly failures: number;
}

/** What a lease's file says. */
export interface LeaseNote {
  readonly mark: string;
  /** What is being done. */
  readonly subject: string;
  /** By the clock of the holder: for people only. */
  readonly since: string;
}

/** Reads the newest lease out of the names in its directory. */
export function newestLease(names: readonly string[]): LeaseState {
  let newest: LeaseState = { generation: 0, state: "free", failures: 0 };
  let failures = 0;
  for (const name of names) {
    const [, state, digits] = LEASE.exec(name) ?? [];
    if (state === "failed") failures++;
    const generation = Number(digits);
    if (!(generation > newest.generation)) continue;
    newest = { generation, state: state === "lease" ? "held" : state as Ending, failures: 0 };
  }
  return { ...newest, failures };
}

/** This process holds it. */
export class GenerationLease {
  readonly generation: number;
  readonly #file: string;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(file: string, generation: number, leaseMs: number) {
    this.generation = generation;
    this.#file = file;
    this.#timer = setInterval(() => grow(file), leaseMs / SIGNS);
    this.#timer.unref();
  }

  /** Ends the lease, and says how. Never throws; only the first call counts. */
  end(how: Ending): void {
    this.rename(`${how}.${this.generation}`);
  }

  /** Ends the lease, and gives its file another name: that works on a full disk too. */
  rename(name: string): void {
    clearInterval(this.#timer);
    try {
      fs.renameSync(this.#file, path.join(path.dirname(this.#file), name));
    } catch {
      // It does not grow any more, so others take over when it was silent for long enough.
    }
  }
}

export interface TakeOptions {
  readonly mark: string;
  readonly subject: string;
  readonly leaseMs: number;
}

/** Makes generation `generation`; undefined when another node has it. Throws the system's errors. */
export function takeGeneration(
  directory: string,
  generation: number,
  { mark, subject, leaseMs }: TakeOptions,
): GenerationLease | undefined {
  const file = path.join(directory, `lease.${generation}`);
  const own = path.join(directory, `.${mark}`);
  fs.writeFileSync(own, `${mark}\n${subject}\n${new Date().toISOString()}\n`, { mode: 0o644 });
  try {
    return linkOrCreate(own, file) ? new GenerationLease(file, generation, leaseMs) : undefined;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

/** What a node sees of leases that others hold. */
export class LeaseWatch {
  readonly #leaseMs: number;
  readonly #lookMs: number;
  readonly #nowMs: () => number;
  /** It knows who was silent for too long: all leases of that process are free, other rooms' too. */
  readonly silence: SilenceWatch;
  readonly #lookedAt = new Map<string, number>();

  /** `nowMs` never goes back. */
  constructor(leaseMs: number, nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.silence = new SilenceWatch(nowMs);
    this.#leaseMs = leaseMs;
    this.#lookMs = Math.min(leaseMs / LOOKS, MAX_LOOK_MS);
  }

  /** Whether the holder is dead for certain, or was silent for the lease time. */
  isDead(directory: string, generation: number): boolean {
    const file = path.join(directory, `lease.${generation}`);
    const now = this.#nowMs();
    if (now - (this.#lookedAt.get(file) ?? -Infinity) < this.#lookMs) return false;
    this.#lookedAt.set(file, now);
    const found = look(file);
    if (found === undefined) return false;
    const { mark } = found.note;
    const isSilent = this.silence.silentMs(file, `${mark} ${found.size}`) > this.#leaseMs;
    if (!isSilent && !this.silence.isGivenUp(mark) && lifeOf(mark) !== "dead") return false;
    this.silence.giveUp(mark);
    return true;
  }
}

/** What the file of a lease says; undefined when it is gone. */
export function readLease(file: string): LeaseNote | undefined {
  return look(file)?.note;
}

/** For people: `process 4711 on node n17`. */
export function describeNode(mark: string): string {
  const parts = parseMark(mark);
  return parts === undefined ? "another process" : `process ${parts.pid} on node ${parts.host}`;
}

function look(file: string): { readonly note: LeaseNote; readonly size: number } | undefined {
  let descriptor: number;
  try {
    // Opening asks the server of a network file system; a stat gets an old answer for some time.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ESTALE"].includes(systemCode(error))) return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(MAX_BYTES);
    const length = fs.readSync(descriptor, buffer);
    const [mark = "", subject = "", since = ""] = buffer.toString("utf8", 0, length).split("\n");
    return { note: { mark, subject, since }, size: fs.fstatSync(descriptor).size };
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Closing the file sends the byte to the server. */
function grow(file: string): void {
  try {
    const descriptor = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_APPEND);
    try {
      fs.writeSync(descriptor, ".");
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    // A full disk: others take over, and meet it too.
  }
}

function linkOrCreate(own: string, file: string): boolean {
  try {
    fs.linkSync(own, file);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return isSameFile(own, file);
    if (!lacksLinks(error)) throw error;
  }
  try {
    fs.writeFileSync(file, fs.readFileSync(own), { flag: "wx", mode: 0o644 });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** NFS may lose the answer to a link that was made, and then reports that the name exists. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((file) => fs.lstatSync(file, { throwIfNoEntry: false }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

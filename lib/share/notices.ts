/**
 * What nodes tell each other, as files in one small directory. One listing of it shows a waiting node
 * everything: `lease.G` who works, `resolved` which image a step gets, `ready` where it lies,
 * `error.G` why there is none, `useless.G` that the share could not be written.
 */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, fromPlainError, type PlainError, systemCode } from "../errors.ts";
import { fileSystemTime } from "../system/files/leftovers.ts";
import { namesIn } from "../system/files/names_in.ts";
import type { Digest } from "../types/image.ts";
import { type LeaseState, newestLease } from "./generation_lease.ts";

export interface Notice extends LeaseState {
  readonly isReady: boolean;
  /** Why there is no image, unless a later generation tries again. */
  readonly verdict: "none" | "error" | "useless";
  /** The next generation that may be taken. */
  readonly next: number;
}

/** Which image the step gets, from the first moment on, whatever becomes of its tag. */
export interface ResolvedRecord {
  readonly digest: Digest;
}

/** Where the image lies. */
export interface ReadyRecord {
  readonly tier: "own" | "site";
  readonly name: string;
}

const MAX_BYTES = 64 * 1024;
/** The nodes of a step begin within this time; somebody who asks later tries anew. */
const OLD_VERDICT_MS = 30_000;

export class Notices {
  readonly directory: string;
  readonly #mark: string;

  constructor(directory: string, mark: string) {
    this.directory = directory;
    this.#mark = mark;
  }

  /** One listing. Throws the system's errors. */
  read(): Notice {
    const names = namesIn(this.directory);
    const newest = newestLease(names);
    const [error, useless] = [newestOf("error.", names), newestOf("useless.", names)];
    const latest = Math.max(newest.generation, error, useless);
    const verdict = error === latest ? "error" : useless === latest ? "useless" : "none";
    return {
      ...newest,
      isReady: names.includes("ready"),
      verdict: latest === 0 ? "none" : verdict,
      next: latest + 1,
    };
  }

  /** Whether the verdict is old, by the clock of the file system; false where that is unknown. */
  isOldVerdict({ verdict, next }: Notice): boolean {
    const file = path.join(this.directory, `${verdict}.${next - 1}`);
    const nowMs = fileSystemTime(this.directory);
    const status = fs.statSync(file, { throwIfNoEntry: false });
    return nowMs !== undefined && status !== undefined && nowMs - status.mtimeMs > OLD_VERDICT_MS;
  }

  resolved(): ResolvedRecord | undefined {
    return this.#read("resolved") as ResolvedRecord | undefined;
  }

  /** The first record counts: it is given back. */
  setResolved(record: ResolvedRecord): ResolvedRecord {
    this.#write("resolved", record);
    return this.resolved() ?? record;
  }

  ready(): ReadyRecord | undefined {
    return this.#read("ready") as ReadyRecord | undefined;
  }

  setReady(record: ReadyRecord): void {
    this.#write("ready", record);
  }

  /** The error that is the verdict. */
  error({ next }: Notice): Error {
    const plain = this.#read(`error.${next - 1}`) as PlainError | undefined;
    return plain === undefined
      ? new DenrootError("file", "Another node failed, and does not say why")
      : fromPlainError(plain);
  }

  /** Without stacks: they would be of no use on other nodes. */
  setError(generation: number, error: DenrootError): void {
    const { name, message, code, hint } = error;
    this.#write(`error.${generation}`, { name, message, code, hint });
  }

  #read(name: string): unknown {
    let text: string;
    try {
      text = fs.readFileSync(path.join(this.directory, name), "utf8");
    } catch (error) {
      if (["ENOENT", "ESTALE"].includes(systemCode(error))) return undefined;
      throw error;
    }
    return text.length > MAX_BYTES ? undefined : parsed(text);
  }

  /** The file appears whole; one that is there stays. */
  #write(name: string, value: unknown): void {
    const file = path.join(this.directory, name);
    const own = path.join(this.directory, `.${name}.${this.#mark}`);
    fs.writeFileSync(own, JSON.stringify(value), { mode: 0o644 });
    try {
      fs.linkSync(own, file);
    } catch (error) {
      // Without links: a rename takes nothing away, since the record of another node says the same.
      if (systemCode(error) !== "EEXIST") fs.renameSync(own, file);
    } finally {
      fs.rmSync(own, { force: true });
    }
  }
}

/** A power failure may have taken the end. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function newestOf(prefix: string, names: readonly string[]): number {
  const generations = names.filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)));
  return Math.max(0, ...generations);
}

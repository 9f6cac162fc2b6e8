/** A new file that is written at many places at once, in one piece or in parts, and can be gone on with. */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { throwIfAborted } from "../../errors.ts";
import { AtomicFile, writeFileAtomically } from "../../system/files/atomic_file.ts";
import { lifeOf, processMark } from "../../system/files/process_mark.ts";
import { partName, sumsBeside } from "./split_names.ts";

const LEFT = /^\.denroot-(.+)\.([0-9a-f]{12})\.part(\d{3,})$/;
const MODE = 0o644;
const READ_SIZE = 1024 * 1024;

export interface SplitFileOptions {
  /** The largest size of a part, in bytes; undefined for a file in one piece. */
  readonly partBytes?: number | undefined;
  readonly replace: boolean;
}

export class SplitFile {
  readonly #target: string;
  readonly #partBytes: number;
  readonly #isSplit: boolean;
  readonly #replace: boolean;
  readonly #stem: string;
  readonly #parts: AtomicFile[] = [];

  /**
   * Takes over what a process left that wrote the same file and is dead: {@link read} then gives its
   * bytes. What others left of this file is removed.
   */
  constructor(target: string, { partBytes, replace }: SplitFileOptions) {
    this.#target = target;
    this.#isSplit = partBytes !== undefined;
    this.#partBytes = partBytes ?? Number.MAX_SAFE_INTEGER;
    this.#replace = replace;
    const key = createHash("sha256").update(`${path.basename(target)}\0${partBytes}`).digest("hex")
      .slice(0, 12);
    const directory = path.dirname(target);
    this.#stem = path.join(directory, `.denroot-${processMark()}.${key}.part`);
    this.#takeOver(directory, key);
  }

  /** What {@link leave} leaves: a path, or a pattern of the shell for several. */
  get left(): string {
    return this.#isSplit ? `${this.#stem}*` : this.#partPath(1);
  }

  write(bytes: Uint8Array, position: number): void {
    this.#each(position, bytes.length, (part, at, start, end) => {
      part.write(bytes.subarray(start, end), at);
      return true;
    });
  }

  /** Fills `buffer` from what was written; false where nothing was yet. */
  read(buffer: Uint8Array, position: number): boolean {
    return this.#each(position, buffer.length, (part, at, start, end) => {
      while (start < end) {
        const count = part.read(buffer.subarray(start, end), at);
        if (count === 0) return false;
        start += count;
        at += count;
      }
      return true;
    });
  }

  /** Removes what was written so far. */
  clear(): void {
    for (const part of this.#parts.splice(0)) part.close();
  }

  /**
   * Cuts the file to `size` and gives it its name; in parts, each gets its number, and their sums come
   * beside them. False when another file has the name and is not to be replaced.
   */
  async publish(size: number, signal: AbortSignal): Promise<boolean> {
    const count = Math.ceil(size / this.#partBytes);
    for (const extra of this.#parts.splice(count)) extra.close();
    this.#part(count - 1).truncate(size - (count - 1) * this.#partBytes);
    if (!this.#isSplit) {
      const isPublished = await this.#parts[0]!.publish(this.#target, { replace: this.#replace });
      if (isPublished) await this.#forgetParts();
      return isPublished;
    }
    const sums: string[] = [];
    for (const [index, part] of this.#parts.entries()) {
      const name = partName(this.#target, index + 1);
      sums.push(`${sumOf(part, signal)}  ${path.basename(name)}`);
      // The disk may need minutes, in which no part has its name yet.
      await part.settle();
    }
    for (const [index, part] of this.#parts.entries()) {
      const name = partName(this.#target, index + 1);
      if (!await part.publish(name, { replace: this.#replace })) return false;
    }
    if (this.#replace) fs.rmSync(this.#target, { force: true });
    removeParts(this.#target, count + 1);
    await writeSums(this.#target, sums);
    return true;
  }

  /** Removes the parts of an earlier archive that had this name, and their sums. */
  async #forgetParts(): Promise<void> {
    if (!fs.existsSync(partName(this.#target, 1))) return;
    removeParts(this.#target, 1);
    await writeSums(this.#target, []);
  }

  /** Leaves what was written for a later process. Does nothing after {@link publish}. */
  leave(): void {
    for (const part of this.#parts) {
      if (fs.existsSync(part.temporary)) part.leaveAs(part.temporary);
      else part.close();
    }
  }

  #each(
    position: number,
    length: number,
    action: (part: AtomicFile, at: number, start: number, end: number) => boolean,
  ): boolean {
    for (let done = 0; done < length;) {
      const index = Math.floor((position + done) / this.#partBytes);
      const at = position + done - index * this.#partBytes;
      const end = Math.min(length, done + this.#partBytes - at);
      if (!action(this.#part(index), at, done, end)) return false;
      done = end;
    }
    return true;
  }

  /** Parts come in their order: one that is skipped is empty meanwhile. */
  #part(index: number): AtomicFile {
    while (this.#parts.length <= index) {
      const part = new AtomicFile(this.#partPath(this.#parts.length + 1), { mode: MODE });
      part.create();
      this.#parts.push(part);
    }
    return this.#parts[index]!;
  }

  #partPath(number: number): string {
    return `${this.#stem}${String(number).padStart(3, "0")}`;
  }

  /** The file that has most of it, if several processes died. */
  #takeOver(directory: string, key: string): void {
    const left = new Map<string, string[]>();
    for (const name of fs.readdirSync(directory).sort()) {
      const [, mark, itsKey] = LEFT.exec(name) ?? [];
      if (mark === undefined || itsKey !== key || lifeOf(mark) !== "dead") continue;
      left.set(mark, [...left.get(mark) ?? [], path.join(directory, name)]);
    }
    const written = (files: readonly string[]) =>
      files.reduce((sum, file) => sum + (fs.statSync(file).blocks ?? 0), 0);
    const [best, ...others] = [...left.values()]
      .sort((one, other) => written(other) - written(one));
    for (const file of others.flat()) fs.rmSync(file, { force: true });
    for (const [index, file] of (best ?? []).entries()) {
      const part = new AtomicFile(this.#partPath(index + 1), { mode: MODE });
      if (!part.takeOver(file)) {
        part.close();
        return this.clear();
      }
      this.#parts.push(part);
    }
  }
}

function sumOf(part: AtomicFile, signal: AbortSignal): string {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(READ_SIZE);
  for (let at = 0;;) {
    throwIfAborted(signal);
    const count = part.read(buffer, at);
    if (count === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
    at += count;
  }
}

/** Those of an earlier, larger archive. */
function removeParts(target: string, first: number): void {
  for (let number = first; fs.existsSync(partName(target, number)); number++) {
    fs.rmSync(partName(target, number));
  }
}

/** The sums of other files in the directory stay. */
async function writeSums(target: string, lines: readonly string[]): Promise<void> {
  const file = sumsBeside(target);
  const stem = `${path.basename(target)}.`;
  const known = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
  const others = known.filter((line) => line !== "" && !isPartLine(line, stem));
  const text = [...others, ...lines].map((line) => `${line}\n`).join("");
  if (text === "") return fs.rmSync(file, { force: true });
  await writeFileAtomically(file, new TextEncoder().encode(text), { mode: MODE });
}

function isPartLine(line: string, stem: string): boolean {
  const name = line.replace(/^[0-9a-f]{64} [ *]/, "");
  return name.startsWith(stem) && /^\d{3,}$/.test(name.slice(stem.length));
}

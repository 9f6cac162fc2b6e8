/** Reads a finished image back, as a pseudo file of unsquashfs, and compares it with a ledger. */

import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { DenrootError, messageOf } from "../errors.ts";
import { readFromChild } from "../system/process/read_from_child.ts";
import type { EntryType } from "../tar/entry.ts";
import { fingerprint, type ImageLedger } from "./image_ledger.ts";

const DATA_MARK = "#\n# START OF DATA - DO NOT MODIFY\n#\n";
/** A path and its type, `x` for an attribute (from 4.6 on). An unescaped space ends the path. */
const START = /((?:\\[^]|[^\\ ])+) ([DRSLIBCx]) /y;
const ATTRIBUTES = /(\d+ [0-7]+ \d+ \d+)/y;

const TYPES: Readonly<Record<string, EntryType>> = {
  D: "directory",
  R: "file",
  S: "symlink",
  I: "fifo",
  B: "block",
  C: "character",
};

const NO_DEVICE = { deviceMajor: 0, deviceMinor: 0 };
/** Longer than any path, even with each byte escaped. */
const MAX_LINK_TEXT = 1024 * 1024;

interface FileInImage {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
}

/** Throws code `squashfs` on the first path that differs. */
export async function verifyImage(
  unsquashfs: string,
  image: string,
  ledger: ImageLedger,
): Promise<void> {
  const child = await readFromChild(unsquashfs, [
    "-no-progress",
    "-quiet",
    "-pf",
    // Some machines have no /dev/stdout.
    "/proc/self/fd/1",
    image,
  ]);
  const check = new ImageCheck(ledger);
  for await (const bytes of child.output) check.push(bytes);
  const { exitCode, signal, messages } = await child.exited.catch((cause) => {
    throw new DenrootError("squashfs", `unsquashfs cannot be started: ${messageOf(cause)}`, {
      cause,
    });
  });
  if (exitCode !== 0) {
    const how = signal ?? `status ${exitCode}`;
    throw new DenrootError("squashfs", `unsquashfs ended with ${how}: ${messages.trim()}`);
  }
  check.finish();
}

class ImageCheck {
  readonly #ledger: ImageLedger;
  #head: Buffer[] | undefined = [];
  #headLength = 0;
  /** The end of what has arrived of the head. */
  #tail: Buffer = Buffer.alloc(0);
  #files: FileInImage[] = [];
  #seen = 0;
  #hash: Hash = createHash("sha256");
  #at = 0;
  #left = 0;

  constructor(ledger: ImageLedger) {
    this.#ledger = ledger;
  }

  push(bytes: Uint8Array): void {
    if (this.#head === undefined) return this.#data(bytes);
    this.#head.push(Buffer.from(bytes));
    this.#headLength += bytes.length;
    // The mark may be spread over several pieces.
    const tail = Buffer.concat([this.#tail.subarray(1 - DATA_MARK.length), bytes]);
    this.#tail = tail;
    const found = tail.indexOf(DATA_MARK);
    if (found < 0) return;
    const head = Buffer.concat(this.#head);
    const end = this.#headLength - tail.length + found;
    this.#head = undefined;
    this.#lines(head.toString("latin1", 0, end));
    this.#data(head.subarray(end + DATA_MARK.length));
  }

  finish(): void {
    if (this.#head !== undefined) this.#lines(Buffer.concat(this.#head).toString("latin1"));
    if (this.#at < this.#files.length && this.#left > 0) {
      throw differs(this.#files[this.#at]!.path, "is cut short");
    }
    const { fingerprints } = this.#ledger;
    if (this.#seen !== fingerprints.size) {
      throw new DenrootError(
        "squashfs",
        `The image has ${this.#seen} paths instead of ${fingerprints.size}`,
      );
    }
  }

  #lines(text: string): void {
    let inAttribute = false;
    for (let at = 0; at < text.length;) {
      START.lastIndex = at;
      const [, name, letter] = START.exec(text) ?? [];
      const path = name === undefined ? undefined : unescape(name);
      // A newline in an attribute's name is not escaped: the name ends where a packed path begins.
      const isPath: boolean = path !== undefined &&
        (!inAttribute || this.#ledger.fingerprints.has(path));
      if (!isPath && !inAttribute) break;
      inAttribute = !isPath || letter === "x";
      at = inAttribute ? lineEnd(text, at) : this.#line(path!, letter!, text, START.lastIndex);
    }
    this.#skipEmpty();
  }

  /** Takes what follows the path and its type. Returns where the line ends. */
  #line(path: string, letter: string, text: string, start: number): number {
    if (letter === "L") return this.#link(path, text, start);
    if (letter === "S") return this.#symlink(path, text, start);
    const end = text.indexOf("\n", start);
    const words = text.slice(start, end).split(" ");
    const mode = parseInt(words[1]!, 8);
    if (path === "/") return end + 1;
    if (letter === "R") {
      this.#files.push({ path, mode, size: Number(words[4]) });
      return end + 1;
    }
    const device = letter === "B" || letter === "C"
      ? deviceNumbers(Number(words[4]), Number(words[5]))
      : NO_DEVICE;
    this.#compare(path, fingerprint({ type: TYPES[letter]!, mode, linkPath: "", ...device }));
    return end + 1;
  }

  /** A newline in a target is not escaped: only what was packed tells which one ends the line. */
  #symlink(path: string, text: string, start: number): number {
    ATTRIBUTES.lastIndex = start;
    const attributes = ATTRIBUTES.exec(text)?.[0] ?? "";
    const at = start + attributes.length + 1;
    const packed = this.#ledger.fingerprints.get(path) ?? "";
    for (let end = text.indexOf("\n", at); end >= 0; end = text.indexOf("\n", end + 1)) {
      const linkPath = text.slice(at, end);
      const actual = fingerprint({ type: "symlink", mode: 0, linkPath, ...NO_DEVICE });
      if (actual === packed) {
        this.#seen++;
        return end + 1;
      }
      if (actual.length > packed.length) break;
    }
    throw differs(path, "is not what was packed");
  }

  #link(path: string, text: string, start: number): number {
    const packed = this.#ledger.fingerprints.get(path);
    for (let end = text.indexOf("\n", start); end >= 0; end = text.indexOf("\n", end + 1)) {
      const target = this.#ledger.fingerprints.get(unescape(text.slice(start, end)));
      if (target !== undefined && target === packed) {
        this.#seen++;
        return end + 1;
      }
      if (end - start > MAX_LINK_TEXT) break;
    }
    throw differs(path, "is another file");
  }

  #data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#at === this.#files.length) return;
      const count = Math.min(this.#left, bytes.length - at);
      this.#hash.update(bytes.subarray(at, at + count));
      this.#left -= count;
      at += count;
      if (this.#left === 0) {
        this.#closeFile();
        this.#skipEmpty();
      }
    }
  }

  #skipEmpty(): void {
    while (this.#at < this.#files.length) {
      this.#left = this.#files[this.#at]!.size;
      if (this.#left > 0) return;
      this.#closeFile();
    }
  }

  #closeFile(): void {
    const { path, mode } = this.#files[this.#at++]!;
    const digest = this.#hash.digest("base64");
    this.#hash = createHash("sha256");
    this.#compare(
      path,
      fingerprint({ type: "file", mode, deviceMajor: 0, deviceMinor: 0, linkPath: "" }, digest),
    );
  }

  #compare(path: string, actual: string): void {
    this.#seen++;
    if (this.#ledger.fingerprints.get(path) !== actual) {
      throw differs(path, "is not what was packed");
    }
  }
}

function lineEnd(text: string, at: number): number {
  const newline = text.indexOf("\n", at);
  return newline < 0 ? text.length : newline + 1;
}

function unescape(text: string): string {
  return text.replace(/\\([^])/g, "$1");
}

/** Some versions print a large minor number in two parts: the high bits are in the major number. */
function deviceNumbers(major: number, minor: number) {
  return { deviceMajor: major & 0xfff, deviceMinor: (major >>> 12) * 256 + minor };
}

function differs(path: string, how: string): DenrootError {
  const name = Buffer.from(path, "latin1").toString();
  return new DenrootError("squashfs", `In the finished image '/${name}' ${how}`, {
    hint: "Nothing was written. Please report this, and name the version of mksquashfs",
  });
}

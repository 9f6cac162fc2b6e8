/** Reads a finished image back, through unsquashfs's pseudo file, and compares it with a ledger. */

import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { DenrootError } from "../errors.ts";
import { readFromChild } from "../system/child_process.ts";
import type { EntryType } from "../tar/entry.ts";
import { fingerprint, type ImageLedger } from "./image_ledger.ts";

const DATA_MARK = "#\n# START OF DATA - DO NOT MODIFY\n#\n";
/** A path, its type, and the rest; the path ends at the first space that no backslash precedes. */
const LINE = /((?:\\[^]|[^\\ ])+) ([DRSLIBC]) ([^\n]*)\n/y;

const TYPES: Readonly<Record<string, EntryType>> = {
  D: "directory",
  R: "file",
  S: "symlink",
  I: "fifo",
  B: "block",
  C: "character",
};

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
    "/dev/stdout",
    image,
  ]);
  const check = new ImageCheck(ledger);
  for (const bytes of child.output) check.push(bytes);
  const { exitCode, signal, messages } = await child.exited;
  if (exitCode !== 0) {
    const how = signal ?? `status ${exitCode}`;
    throw new DenrootError("squashfs", `${unsquashfs} ended with ${how}: ${messages.trim()}`);
  }
  check.finish();
}

class ImageCheck {
  readonly #ledger: ImageLedger;
  #head: Buffer[] | undefined = [];
  #headLength = 0;
  #files: FileInImage[] = [];
  #links: { path: string; target: string }[] = [];
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
    // The mark may straddle two pieces, so look at the last of them together.
    const tail = Buffer.concat(this.#head.slice(-2));
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
    for (const { path, target } of this.#links) {
      this.#seen++;
      if (fingerprints.get(path) !== fingerprints.get(target)) {
        throw differs(path, "is another file");
      }
    }
    if (this.#seen !== fingerprints.size) {
      throw new DenrootError(
        "squashfs",
        `The image has ${this.#seen} paths instead of ${fingerprints.size}`,
      );
    }
  }

  #lines(text: string): void {
    LINE.lastIndex = 0;
    for (let match = LINE.exec(text); match !== null; match = LINE.exec(text)) {
      this.#line(match[1]!.replace(/\\([^])/g, "$1"), match[2]!, match[3]!);
    }
    this.#skipEmpty();
  }

  #line(path: string, letter: string, rest: string): void {
    if (path === "/") return;
    if (letter === "L") {
      this.#links.push({ path, target: rest });
      return;
    }
    const words = rest.split(" ");
    const mode = parseInt(words[1]!, 8);
    if (letter === "R") {
      this.#files.push({ path, mode, size: Number(words[4]) });
      return;
    }
    const [deviceMajor, deviceMinor] = letter === "B" || letter === "C"
      ? [Number(words[4]), Number(words[5])] as const
      : [0, 0] as const;
    const linkPath = letter === "S" ? words.slice(4).join(" ") : "";
    const type = TYPES[letter]!;
    this.#compare(path, fingerprint({ type, mode, deviceMajor, deviceMinor, linkPath }));
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

function differs(path: string, how: string): DenrootError {
  const name = Buffer.from(path, "latin1").toString();
  return new DenrootError("squashfs", `In the finished image '/${name}' ${how}`, {
    hint: "Nothing was written; please report this, with the version of mksquashfs",
  });
}

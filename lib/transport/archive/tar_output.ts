/** A tar of regular files that is written as it comes: to a new file, or down a pipe. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { throwIfAborted } from "../../errors.ts";
import { Semaphore } from "../../http/semaphore.ts";
import { AtomicFile } from "../../system/files/atomic_file.ts";
import { removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { BLOCK, padding } from "../../tar/entry.ts";
import { fileHeader } from "../../tar/tar_writer.ts";
import { quotePath } from "../../text/quote_text.ts";
import { archiveTarget } from "./archive_target.ts";
import { writeError } from "./write_error.ts";

/** Gives a member's bytes; `write` resolves when it needs them no more. */
type Fill = (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>;

export interface TarOutput {
  /**
   * Adds a member of exactly `size` bytes, which `fill` writes. Several may be added at the same time.
   * One that failed may be added again. Throws what `fill` throws, and the system's errors.
   */
  add(name: string, size: number, fill: Fill, signal: AbortSignal): Promise<void>;
  /** Writes the end of the archive; a file gets its name. False when another file has it. */
  end(): Promise<boolean>;
  /** Removes what was written to a file, unless it was ended. */
  close(): void;
}

const TEMPORARY = /^\.denroot-(.+)\.tmp$/;
const MODE = 0o644;

/**
 * Opens the output. A file is written under a temporary name beside it. Throws code `exists` for a file
 * that is there and is not to be replaced, `file` and `space` where none can be written.
 */
export async function openTarOutput(
  name: string,
  { replace }: { readonly replace: boolean },
): Promise<TarOutput> {
  const target = await archiveTarget(name, { replace });
  if (target.type === "stream") return new StreamOutput(() => openPipe(target.path));
  const directory = path.dirname(target.path);
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
  const file = new AtomicFile(path.join(directory, `.denroot-${processMark()}.tmp`), {
    mode: MODE,
  });
  try {
    file.create();
  } catch (error) {
    throw writeError(quotePath(name), error);
  }
  return new FileOutput(file, target.path, replace);
}

interface MemberPlace {
  /** Where the member's bytes begin in the file. */
  readonly start: number;
  isWhole: boolean;
}

/** The members' sizes are known, so that several can be written at once, each in its own place. */
class FileOutput implements TarOutput {
  readonly #file: AtomicFile;
  readonly #target: string;
  readonly #replace: boolean;
  readonly #places = new Map<string, MemberPlace>();
  #end = 0;

  constructor(file: AtomicFile, target: string, replace: boolean) {
    this.#file = file;
    this.#target = target;
    this.#replace = replace;
  }

  async add(name: string, size: number, fill: Fill, signal: AbortSignal): Promise<void> {
    const place = this.#placeFor(name, size);
    let at = place.start;
    await fill((bytes) => {
      throwIfAborted(signal);
      checkRoom(place.start + size - at, bytes);
      this.#file.write(bytes, at);
      at += bytes.length;
      return Promise.resolve();
    });
    if (at !== place.start + size) throw tooShort(name);
    place.isWhole = true;
  }

  #placeFor(name: string, size: number): MemberPlace {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const header = fileHeader(name, size, MODE);
    this.#file.write(header, this.#end);
    const place = { start: this.#end + header.length, isWhole: false };
    this.#end = place.start + size + padding(size);
    this.#places.set(name, place);
    return place;
  }

  async end(): Promise<boolean> {
    const broken = [...this.#places].find(([, { isWhole }]) => !isWhole);
    if (broken !== undefined) throw new TypeError(`${broken[0]} is not whole`);
    this.#file.write(Buffer.alloc(2 * BLOCK), this.#end);
    return await this.#file.publish(this.#target, { replace: this.#replace });
  }

  close(): void {
    this.#file.close();
  }
}

/** Where the bytes of a stream go. */
export interface ByteSink {
  /** Resolves when the bytes are needed no more. */
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Ends a stream that is not complete. May be called after {@link end}. */
  close(): void;
}

/** Down a pipe one member follows the other, and what was sent cannot be taken back. */
export class StreamOutput implements TarOutput {
  readonly #open: () => Promise<ByteSink>;
  readonly #turn = new Semaphore(1);
  #sink: ByteSink | undefined;
  #isBroken = false;

  /** Its reader is looked for when there is something to write. */
  constructor(open: () => Promise<ByteSink>) {
    this.#open = open;
  }

  async add(name: string, size: number, fill: Fill, signal: AbortSignal): Promise<void> {
    const release = await this.#turn.acquire(signal);
    try {
      if (this.#isBroken) throw new TypeError("A member cannot follow one that is incomplete");
      this.#isBroken = true;
      let left = size;
      const sink = this.#sink ??= await this.#open();
      await sink.write(fileHeader(name, size, MODE));
      await fill(async (bytes) => {
        throwIfAborted(signal);
        checkRoom(left, bytes);
        left -= bytes.length;
        await sink.write(bytes);
      });
      if (left > 0) throw tooShort(name);
      await sink.write(Buffer.alloc(padding(size)));
      this.#isBroken = false;
    } finally {
      release();
    }
  }

  async end(): Promise<boolean> {
    await this.#sink!.write(Buffer.alloc(2 * BLOCK));
    await this.#sink!.end();
    return true;
  }

  close(): void {
    this.#sink?.close();
  }
}

/** A named pipe opens when it has a reader. */
async function openPipe(name: string): Promise<ByteSink> {
  const descriptor = await new Promise<number>((resolve, reject) =>
    fs.open(
      name,
      fs.constants.O_WRONLY,
      (error, descriptor) => error ? reject(error) : resolve(descriptor),
    )
  );
  let isOpen = true;
  const close = () => {
    if (isOpen) fs.closeSync(descriptor);
    isOpen = false;
  };
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await writeSome(descriptor, bytes, at);
    },
    end: () => Promise.resolve(close()),
    close,
  };
}

function writeSome(descriptor: number, bytes: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.write(
      descriptor,
      bytes,
      at,
      bytes.length - at,
      null,
      (error, count) => error ? reject(error) : resolve(count),
    )
  );
}

function checkRoom(left: number, bytes: Uint8Array): void {
  if (bytes.length > left) throw new TypeError("A member has more bytes than announced");
}

function tooShort(name: string): TypeError {
  return new TypeError(`The member ${name} has fewer bytes than announced`);
}

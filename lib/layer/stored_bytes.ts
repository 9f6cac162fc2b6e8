/** A layer's stored bytes, read from a file while a download still writes it. */

import type { Hash } from "node:crypto";
import fs from "node:fs";
import { DenrootError, systemCode } from "../errors.ts";
import { createDigestHash } from "../oci/digest.ts";
import type { BlobPlace } from "../types/source.ts";
import type { LayerJob } from "./layer_messages.ts";

const READ_SIZE = 512 * 1024;

export class StoredBytes {
  /** The hash of what was read; undefined when the job does not want it checked. */
  readonly hash: Hash | undefined;
  readonly #job: LayerJob;
  readonly #arrival: Arrival;
  #position = 0;

  constructor(job: LayerJob, arrival: Arrival) {
    this.#job = job;
    this.#arrival = arrival;
    this.hash = job.digest === undefined ? undefined : createDigestHash(job.digest);
  }

  /**
   * Yields the bytes from where the last reading stopped. All pieces use the same buffer. Throws
   * code `digest` when the file is too short.
   */
  async *read(): AsyncGenerator<Uint8Array, void> {
    const { size, place } = this.#job;
    if (this.#position === size) return;
    await this.#arrival.beyond(0);
    const { fd, offset } = openPlace(place);
    const buffer = new Uint8Array(Math.min(READ_SIZE, size));
    try {
      while (this.#position < size) {
        const available = await this.#arrival.beyond(this.#position);
        const wanted = Math.min(buffer.length, available - this.#position);
        const count = fs.readSync(fd, buffer, 0, wanted, offset + this.#position);
        if (count === 0) {
          throw new DenrootError("digest", `It is cut short at ${this.#position} bytes`);
        }
        this.#position += count;
        this.hash?.update(buffer.subarray(0, count));
        yield buffer.subarray(0, count);
      }
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** How many bytes of a file can be read. */
export class Arrival {
  #bytes: number;
  #wake: (() => void) | undefined;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** A download that starts again counts from 0, but its file keeps the bytes. */
  advance(bytes: number): void {
    this.#bytes = Math.max(this.#bytes, bytes);
    this.#wake?.();
  }

  /** Waits until there are more than `position` bytes; gives how many there are. */
  async beyond(position: number): Promise<number> {
    while (this.#bytes <= position) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#bytes;
  }
}

/** Opens the file that holds a blob. Throws code `not_found` when another process removed it. */
function openPlace(place: BlobPlace): OpenFile {
  try {
    return openFile(place);
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw cause;
    throw new DenrootError("not_found", "It was removed while it was needed", { cause });
  }
}

interface OpenFile {
  readonly fd: number;
  /** Where the blob begins. */
  readonly offset: number;
}

function openFile(place: BlobPlace): OpenFile {
  switch (place.type) {
    case "file":
      return { fd: fs.openSync(place.path, "r"), offset: place.offset };
    case "download":
      return { fd: openFirst(place.paths), offset: 0 };
    case "tar-split":
    case "tree":
      throw new TypeError("An unpacked layer is not one file");
  }
}

/** A download's file gets its final name when it is complete. */
function openFirst([temporary, final]: readonly [string, string]): number {
  try {
    return fs.openSync(temporary, "r");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return fs.openSync(final, "r");
  }
}

/** A thread that reads layers: stored bytes in, the decompressed and verified tar stream out. */

import type { Hash } from "node:crypto";
import fs from "node:fs";
import { DenrootError, toPlainError } from "../errors.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import { type MessagePort, workerPort } from "../system/worker.ts";
import type { Digest } from "../types/image.ts";
import { decompress } from "../compress/decompress.ts";
import {
  type Available,
  CHUNK_SIZE,
  CHUNKS_AHEAD,
  type LayerAnswer,
  type LayerJob,
} from "./layer_messages.ts";
import { readLayerTree } from "./formats/read_layer_tree.ts";
import { readSplitLayer } from "./formats/read_split_layer.ts";

const READ_SIZE = 512 * 1024;

/** How far the file of each running job has come. */
const arrivals = new Map<number, Arrival>();

const port = workerPort();
port.on("message", (message: LayerJob | Available) => {
  if (message.type === "available") arrivals.get(message.id)?.advance(message.bytes);
  else void run(message);
});

async function run(job: LayerJob): Promise<void> {
  const answer: LayerAnswer = { id: job.id };
  try {
    arrivals.set(job.id, new Arrival(job.available));
    await readLayer(job, arrivals.get(job.id)!);
    port.postMessage(answer);
  } catch (error) {
    port.postMessage({ ...answer, error: toPlainError(error) });
  } finally {
    arrivals.delete(job.id);
    job.output.close();
  }
}

async function readLayer(job: LayerJob, arrival: Arrival): Promise<void> {
  const content = job.diffId === undefined ? undefined : createDigestHash(job.diffId);
  const stored = new StoredBytes(job, arrival);
  const output = new ChunkOutput(job.output);
  for await (const bytes of tarStream(job, stored)) {
    content?.update(bytes);
    await output.write(bytes);
  }
  if (job.digest !== undefined) {
    for await (const _ of stored.read()) { /* What the decompressor had no use for counts too. */ }
    expectDigest("Its stored bytes are", job.digest, stored.hash!);
  }
  if (content !== undefined) {
    expectDigest("Its content is", job.diffId!, content);
  }
  await output.end();
}

function tarStream({ place }: LayerJob, stored: StoredBytes): AsyncIterable<Uint8Array> {
  switch (place.type) {
    case "file":
    case "download":
      return decompress(stored.read());
    case "tar-split":
      return readSplitLayer(place);
    case "tree":
      return readLayerTree(place);
  }
}

function expectDigest(what: string, expected: Digest, hash: Hash): void {
  const actual = `${parseDigest(expected).algorithm}:${hash.digest("hex")}`;
  if (actual !== expected) {
    throw new DenrootError("digest", `${what} ${actual} instead of ${expected}`);
  }
}

/** A blob's file, read behind the download. */
class StoredBytes {
  /** Of what was read, when the job wants it checked. */
  readonly hash: Hash | undefined;
  readonly #job: LayerJob;
  readonly #arrival: Arrival;
  #at = 0;

  constructor(job: LayerJob, arrival: Arrival) {
    this.#job = job;
    this.#arrival = arrival;
    this.hash = job.digest === undefined ? undefined : createDigestHash(job.digest);
  }

  /** Goes on where the last reading stopped. Every piece lies in the same buffer. */
  async *read(): AsyncGenerator<Uint8Array, void> {
    const { size, place } = this.#job;
    if (this.#at === size) return;
    await this.#arrival.beyond(0);
    const { fd, offset } = openPlace(place);
    const buffer = new Uint8Array(Math.min(READ_SIZE, size));
    try {
      while (this.#at < size) {
        const available = await this.#arrival.beyond(this.#at);
        const wanted = Math.min(buffer.length, available - this.#at);
        const count = fs.readSync(fd, buffer, 0, wanted, offset + this.#at);
        if (count === 0) throw new DenrootError("digest", `It is cut short at ${this.#at} bytes`);
        this.#at += count;
        this.hash?.update(buffer.subarray(0, count));
        yield buffer.subarray(0, count);
      }
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** A file, open, and where in it the blob begins. */
function openPlace(place: LayerJob["place"]): { readonly fd: number; readonly offset: number } {
  switch (place.type) {
    case "file":
      return { fd: fs.openSync(place.path, "r"), offset: place.offset };
    case "download":
      return { fd: openFirst(place.paths), offset: 0 };
    case "tar-split":
    case "tree":
      throw new TypeError("An unpacked layer is no file");
  }
}

/** A download's file is renamed at its end. */
function openFirst([temporary, final]: readonly [string, string]): number {
  try {
    return fs.openSync(temporary, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return fs.openSync(final, "r");
  }
}

class Arrival {
  #bytes: number;
  #wake: (() => void) | undefined;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  advance(bytes: number): void {
    this.#bytes = Math.max(this.#bytes, bytes);
    this.#wake?.();
  }

  /** Waits for more than `position` bytes; gives how many there are. */
  async beyond(position: number): Promise<number> {
    while (this.#bytes <= position) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#bytes;
  }
}

/** One job runs at a time, so that all of them share the buffers. */
const freeBuffers: ArrayBuffer[] = [];
let buffersMade = 0;

/** Fills buffers that the taker sends back: the count of them bounds what is read ahead. */
class ChunkOutput {
  readonly #port: MessagePort;
  #wake: (() => void) | undefined;
  #current: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (buffer: ArrayBuffer) => {
      freeBuffers.push(buffer);
      this.#wake?.();
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#current ??= new Uint8Array(await this.#buffer());
      const count = Math.min(CHUNK_SIZE - this.#used, bytes.length - at);
      this.#current.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === CHUNK_SIZE) this.#send();
    }
  }

  /** Resolves when the taker has taken everything. */
  async end(): Promise<void> {
    if (this.#current !== undefined) this.#send();
    this.#port.postMessage("end");
    while (freeBuffers.length < buffersMade) await this.#woken();
  }

  async #buffer(): Promise<ArrayBuffer> {
    if (freeBuffers.length === 0 && buffersMade < CHUNKS_AHEAD) {
      buffersMade++;
      return new ArrayBuffer(CHUNK_SIZE);
    }
    while (freeBuffers.length === 0) await this.#woken();
    return freeBuffers.pop()!;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #send(): void {
    const { buffer } = this.#current!;
    this.#port.postMessage({ buffer, length: this.#used }, [buffer]);
    this.#current = undefined;
    this.#used = 0;
  }
}

/** A response's bytes as they come: a bounded buffer, back-pressure, a time limit for stalls. */

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { connectionError, TransferError } from "./transfer_error.ts";

interface BodyOptions {
  readonly url: URL;
  readonly stallTimeoutMs: number;
  readonly bufferedBytes: number;
  /** Called once, when no more bytes will come: after the end, an error or `destroy`. */
  readonly onClose: () => void;
}

/**
 * Iterates the chunks of a response as the socket yields them, without a copy. `data` events cost
 * half as much as the stream's own async iteration; the stream is paused while the buffer is full.
 *
 * There may be one consumer, with one `next()` at a time. Leaving the loop early destroys the
 * connection.
 */
export class ResponseBody implements AsyncIterableIterator<Uint8Array> {
  readonly #response: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #chunks: Uint8Array[] = [];
  #buffered = 0;
  #lastByteAt = performance.now();
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #waiting:
    | { resolve: (result: IteratorResult<Uint8Array>) => void; reject: (error: unknown) => void }
    | undefined;
  #error: unknown;
  #ended = false;
  #closed = false;

  constructor(response: IncomingMessage, options: BodyOptions) {
    this.#response = response;
    this.#options = options;
    response.on("data", (chunk: Uint8Array) => this.#take(chunk));
    response.on("end", () => this.#finish(undefined));
    response.on("error", (error) => this.#finish(connectionError(error, options.url)));
    response.on("aborted", () => this.#finish(cutError(options.url)));
    response.on("close", () => {
      this.#finish(response.complete ? undefined : cutError(options.url));
    });
    this.#watch(options.stallTimeoutMs);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#buffered -= chunk.length;
      if (this.#response.isPaused() && this.#buffered < this.#options.bufferedBytes / 2) {
        this.#lastByteAt = performance.now();
        this.#response.resume();
      }
      return Promise.resolve({ value: chunk, done: false });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.destroy();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** Ends the transfer. A waiting consumer gets `error`, or the end if there is none. */
  destroy(error?: unknown): void {
    this.#finish(error);
    this.#chunks.length = 0;
    this.#buffered = 0;
    if (!this.#response.complete) this.#response.destroy();
  }

  /** The whole body. `tooLong` makes the error for a body of more than `limit` bytes. */
  async bytes(limit: number, tooLong: () => unknown): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this) {
      length += chunk.length;
      if (length > limit) throw tooLong();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  }

  /** Up to `limit` bytes as text. Never throws: it is for error messages. */
  async textStart(limit: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of this) {
        chunks.push(chunk);
        length += chunk.length;
        if (length >= limit) break;
      }
    } catch {
      // The bytes before the failure are enough.
    }
    return Buffer.concat(chunks).subarray(0, limit).toString("utf8");
  }

  /** As {@link textStart}, and the bytes can still be read. */
  async peekText(limit: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      while (length < limit) {
        const { value, done } = await this.next();
        if (done) break;
        chunks.push(value);
        length += value.length;
      }
    } catch {
      // The reader gets the failure after these bytes.
    }
    this.#chunks.unshift(...chunks);
    this.#buffered += length;
    return Buffer.concat(chunks).subarray(0, limit).toString("utf8");
  }

  #take(chunk: Uint8Array): void {
    this.#lastByteAt = performance.now();
    if (this.#ended || this.#error !== undefined) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ value: chunk, done: false });
      return;
    }
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered >= this.#options.bufferedBytes) this.#response.pause();
  }

  #finish(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#stallTimer);
    if (error === undefined) this.#ended = true;
    else this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#options.onClose();
    if (waiting === undefined) return;
    if (error === undefined) waiting.resolve({ value: undefined, done: true });
    else waiting.reject(error);
  }

  /** One timer looks now and then: setting it again for each chunk would cost more. */
  #watch(delayMs: number): void {
    this.#stallTimer = setTimeout(() => {
      const idleMs = performance.now() - this.#lastByteAt;
      const { stallTimeoutMs, url } = this.#options;
      // A full buffer means that the consumer is slow, not the server.
      if (this.#response.isPaused()) this.#watch(stallTimeoutMs);
      else if (idleMs < stallTimeoutMs) this.#watch(stallTimeoutMs - idleMs + 1);
      else this.destroy(stalledError(url, stallTimeoutMs));
    }, delayMs);
  }
}

export function stalledError(url: URL, stallTimeoutMs: number): TransferError {
  return new TransferError(
    "network",
    `${url.host} sent nothing for ${stallTimeoutMs / 1000} seconds`,
    { transient: true },
  );
}

function cutError(url: URL): TransferError {
  return new TransferError("network", `${url.host} cut the connection in mid-transfer`, {
    transient: true,
  });
}

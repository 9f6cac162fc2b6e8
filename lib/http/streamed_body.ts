/** A request's body that is sent while it arrives from elsewhere. */

/**
 * Bytes that can be sent once. A request that failed before the first of them was sent leaves the
 * body as it was: it can go with another request.
 */
export class StreamedBody {
  readonly size: number;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left: number;
  #last: Uint8Array | undefined;
  #next: Promise<Uint8Array | undefined> | undefined;
  #isStarted = false;

  /** `size` is the exact number of bytes. The chunks must not share memory that is written again. */
  constructor(size: number, chunks: AsyncIterable<Uint8Array>) {
    this.size = this.#left = size;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Whether a part of it was sent. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /**
   * The chunk to send next, the same one until {@link take}; undefined at the end. Rejects with the
   * error of the bytes' source, and with `TypeError` when they are more or fewer than `size`.
   */
  peek(): Promise<Uint8Array | undefined> {
    return this.#next ??= this.#pull();
  }

  /** The chunk of the last {@link peek} goes out now. */
  take(): void {
    this.#next = undefined;
    this.#isStarted = true;
  }

  /** Ends the source of the bytes. Call it for a body that is not sent again. */
  close(): void {
    // A source that is waiting for its own bytes may end later: nobody needs to wait for it.
    this.#chunks.return?.().catch(() => {});
  }

  /**
   * The last chunk is kept back until its source has ended: a source that finds at its end that its
   * bytes are wrong leaves an incomplete request, which no server accepts.
   */
  async #pull(): Promise<Uint8Array | undefined> {
    for (;;) {
      const { value, done } = await this.#chunks.next();
      if (!done && value.length === 0) continue;
      const ready = this.#last;
      this.#last = done ? undefined : value;
      this.#left -= this.#last?.length ?? 0;
      if (this.#left < 0) throw new TypeError(`The body has more than ${this.size} bytes`);
      if (done && this.#left > 0) {
        throw new TypeError(`The body has ${this.size - this.#left} bytes, not ${this.size}`);
      }
      if (ready !== undefined || done) return ready;
    }
  }
}

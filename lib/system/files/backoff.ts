/** Growing pauses between looks at something that another process changes. */

const FIRST_MS = 100;
const LAST_MS = 2000;

export class Backoff {
  #nextMs = FIRST_MS;

  /**
   * The next pause in milliseconds: at most 100 at first, at most twice as much each time, at most
   * 2000. A part of it is random, so that a thousand processes do not look at the same time.
   */
  next(): number {
    const pauseMs = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(2 * this.#nextMs, LAST_MS);
    return pauseMs;
  }

  /** Starts again with a short pause. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}

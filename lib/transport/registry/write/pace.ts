/** How many requests a registry gets at once: fewer when it says that they are too many. */

import { setTimeout as sleep } from "node:timers/promises";
import { abortedError } from "../../../errors.ts";
import { WaitingLine } from "../../../http/waiting_line.ts";

export class Pace {
  readonly #most: number;
  #limit: number;
  #active = 0;
  #pausedUntil = 0;
  readonly #line = new WaitingLine();

  constructor(most: number) {
    this.#most = this.#limit = most;
  }

  /** How many requests may be open now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Does `request` when its turn has come. */
  async run<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#active >= this.limit) await this.#line.wait(signal);
    this.#active++;
    try {
      await this.#pause(signal);
      const result = await request();
      // Slowly: the limit is back where it was after many requests that went well.
      this.#limit = Math.min(this.#most, this.#limit + 1 / (8 * this.#limit));
      return result;
    } finally {
      this.#active--;
      for (let free = Math.max(1, this.limit - this.#active); free > 0; free--) this.#line.admit();
    }
  }

  /** The registry has refused a request because of their number, and wants no other for this long. */
  slowDown(pauseMs: number): void {
    this.#limit = Math.max(1, this.#limit / 2);
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + pauseMs);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const leftMs = this.#pausedUntil - performance.now();
    if (leftMs <= 0) return;
    try {
      await sleep(leftMs, undefined, { signal });
    } catch {
      throw abortedError(signal);
    }
  }
}

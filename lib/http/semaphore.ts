/** Lets a limited number in at once: first come, first served. */

import { throwIfAborted } from "../errors.ts";
import { WaitingLine } from "./waiting_line.ts";

export class Semaphore {
  #free: number;
  readonly #line = new WaitingLine();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves to a function that returns the permit; calling it twice does no harm. */
  async acquire(signal: AbortSignal): Promise<() => void> {
    throwIfAborted(signal);
    if (this.#free > 0) this.#free--;
    else await this.#line.wait(signal);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (!this.#line.admit()) this.#free++;
    };
  }
}

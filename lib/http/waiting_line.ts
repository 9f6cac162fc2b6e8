/** Those who wait for their turn: first come, first served. */

import { abortedError, throwIfAborted } from "../errors.ts";

export class WaitingLine {
  readonly #queue: (() => void)[] = [];

  /** Waits for the turn. Throws code `aborted` when `signal` ends the waiting. */
  wait(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        reject(abortedError(signal));
      };
      this.#queue.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Gives the first one its turn; false where nobody waits. */
  admit(): boolean {
    const next = this.#queue.shift();
    next?.();
    return next !== undefined;
  }
}

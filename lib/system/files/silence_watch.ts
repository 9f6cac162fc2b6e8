/**
 * For how long a thing did not change, by this process's own clock: no other clock is trusted. It also
 * knows which processes were silent for so long that they count as dead.
 */

import { parseMark, processIn } from "./process_mark.ts";

/**
 * What a single look may add. When this process, and with it perhaps the one that it watches, was
 * stopped for an hour, the next look must not count that hour.
 */
const MOST_PER_LOOK_MS = 20_000;

interface Seen {
  readonly state: string;
  readonly atMs: number;
  readonly silentMs: number;
}

export class SilenceWatch {
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, Seen>();
  readonly #givenUp = new Set<string>();

  /** `nowMs` never goes back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** For how many milliseconds `thing` has been in `state`; 0 at the first look. */
  silentMs(thing: string, state: string): number {
    const atMs = this.#nowMs();
    const before = this.#seen.get(thing);
    const silentMs = before?.state === state
      ? before.silentMs + Math.min(atMs - before.atMs, MOST_PER_LOOK_MS)
      : 0;
    this.#seen.set(thing, { state, atMs, silentMs });
    return silentMs;
  }

  /**
   * All leases of this process count as free from now on, for those who look with this watch. A text that
   * is no mark names no process: a file that cannot be read has none either, and its holder may live.
   */
  giveUp(mark: string): void {
    if (parseMark(mark) !== undefined) this.#givenUp.add(processIn(mark));
  }

  isGivenUp(mark: string): boolean {
    return this.#givenUp.has(processIn(mark));
  }
}

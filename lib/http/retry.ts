/** Whether and when a request is sent again. */

import { setTimeout as sleep } from "node:timers/promises";
import type { OnProgress } from "../types/progress.ts";
import { abortedError } from "../errors.ts";
import type { HttpLimits } from "./limits.ts";
import { TransferError } from "./transfer_error.ts";

/** For this long, requests that fail for the same time are no news: a server that dies fails many. */
const SAME_NEWS_MS = 30_000;

/** Tells of retries, for all requests to one place together. */
export class RetryLog {
  readonly #onProgress: OnProgress | undefined;
  /** When the log had a first, a second... failure. */
  readonly #told = new Map<number, number>();

  constructor(onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress;
  }

  /** `failures` is how often the request has failed by now. */
  tell(failures: number, message: string): void {
    const now = performance.now();
    const last = this.#told.get(failures);
    if (last !== undefined && now - last < SAME_NEWS_MS) return;
    this.#told.set(failures, now);
    this.#onProgress?.({ type: "log", level: "warn", message });
  }
}

/** Counts the failures of one operation against the number that the settings allow. */
export class Retries {
  readonly #retries: number;
  readonly #limits: HttpLimits;
  readonly #log: RetryLog | undefined;
  #failures = 0;

  constructor(retries: number, limits: HttpLimits, log?: RetryLog) {
    this.#retries = retries;
    this.#limits = limits;
    this.#log = log;
  }

  /** Much has arrived since the last failure: the next failure counts as the first one. */
  forgive(): void {
    this.#failures = 0;
  }

  /**
   * Waits before the next try: as long as the server asked for, up to a limit, else an exponential
   * back-off with jitter. Throws `error` itself when another try is useless or none is left.
   */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures++;
    if (!(error instanceof TransferError) || !error.transient) throw error;
    if (this.#failures > this.#retries) throw error;
    const delayMs = retryDelayMs(error.retryAfterMs, this.#failures, this.#limits);
    this.#log?.tell(
      this.#failures,
      `${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} seconds ` +
        `(${this.#failures} of ${this.#retries})`,
    );
    await pause(delayMs, signal);
  }
}

/** The nodes of a cluster may all fail at once: the jitter keeps them from retrying at once. */
export function retryDelayMs(
  retryAfterMs: number | undefined,
  failures: number,
  limits: HttpLimits,
  random: () => number = Math.random,
): number {
  if (retryAfterMs !== undefined) {
    return Math.min(retryAfterMs, limits.retryAfterMaxMs) + random() * limits.backOffMs;
  }
  const fullMs = Math.min(limits.backOffMs * 2 ** (failures - 1), limits.backOffMaxMs);
  return fullMs * (0.5 + random() / 2);
}

/** Retry-After, as seconds or as a date (RFC 9110, section 10.2.3). */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse accepts almost anything, but a date in HTTP begins with a day's name.
  const date = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    throw abortedError(signal);
  }
}

/** How long something took, for people and for programs. */

/** Seconds since `startedMs`, a time of `performance.now()`, in whole milliseconds. */
export function secondsSince(startedMs: number): number {
  return Math.round(performance.now() - startedMs) / 1000;
}

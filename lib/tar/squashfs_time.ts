/** Times that squashfs can hold. */

/** In February 2106. */
const LAST_TIME = 2 ** 32 - 1;

/**
 * Gives the nearest time that squashfs can hold, in whole seconds since 1970: it has unsigned 32
 * bits for a time.
 */
export function squashfsTime(seconds: number): number {
  return Math.min(Math.max(seconds, 0), LAST_TIME);
}

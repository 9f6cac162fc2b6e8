/** Does work for many things, a few at a time. */

import { throwIfAborted } from "../errors.ts";

/**
 * Gives the results in the order of `items`. At most `atOnce` run at the same time. After the first
 * failure no work begins and the signal of the running work aborts; that failure is thrown when all
 * work has ended.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const results: R[] = [];
  let failure: { readonly error: unknown } | undefined;
  let next = 0;
  const run = async () => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        throwIfAborted(signal);
        results[index] = await work(items[index]!, either);
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run));
  if (failure !== undefined) throw failure.error;
  return results;
}

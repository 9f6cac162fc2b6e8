/** Counts what a piece of work leaves behind in this process: timers, listeners, open files. */

import { readdirSync } from "node:fs";

/** The timers that are set and neither ended nor cleared, until this is disposed of. */
export function watchTimers(): { readonly delaysMs: readonly number[] } & Disposable {
  const { setTimeout, clearTimeout } = globalThis;
  const pending = new Map<unknown, number>();
  const set = (run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) => {
    const timer = setTimeout(() => {
      pending.delete(timer);
      run(...args);
    }, delayMs);
    pending.set(timer, delayMs);
    return timer;
  };
  const clear = (timer: ReturnType<typeof setTimeout>) => {
    pending.delete(timer);
    clearTimeout(timer);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  return {
    get delaysMs() {
      return [...pending.values()];
    },
    [Symbol.dispose]: () => void Object.assign(globalThis, { setTimeout, clearTimeout }),
  };
}

/** A signal that knows how many listeners it has. */
export function watchedSignal(): { readonly signal: AbortSignal; readonly listeners: number } {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      listeners.add(args[1]);
      addEventListener.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof removeEventListener>) {
      listeners.delete(args[1]);
      removeEventListener.apply(signal, args);
    },
  });
  return {
    signal,
    get listeners() {
      return listeners.size;
    },
  };
}

/** How many files this process has open. */
export function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

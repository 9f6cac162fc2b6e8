/** Worker threads that run the project's own modules: from source, an executable or the npm package. */

import { type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";
import { moduleUrl } from "./project_url.ts";

export { MessageChannel, type MessagePort, type Transferable } from "node:worker_threads";
export type { Worker };

/** Deno would let each thread collect tens of megabytes of short-lived objects. Bun ignores it. */
const YOUNG_MB = 2;

/**
 * Starts `module`, a path from the project's root; there {@link workerInput} gives `data`. The
 * thread runs until `terminate()`.
 */
export function startWorker(
  module: string,
  data: unknown,
  transfer: readonly MessagePort[] = [],
): Worker {
  return new Worker(moduleUrl(module), {
    workerData: data,
    transferList: [...transfer],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
}

/** In a worker: the data that it was started with. */
export function workerInput<T>(): T {
  return workerData as T;
}

/** In a worker: the port to the thread that started it. */
export function workerPort(): MessagePort {
  return parentPort!;
}

/** Says in the log for which process this one waits, and whose work it takes over: once for each. */

import { describeHolder, type Holder } from "../system/files/lease.ts";
import type { Descriptor } from "../types/image.ts";
import type { AwaitedBlob } from "./awaited_blobs.ts";

export class WaitLog {
  readonly #nameOf: (descriptor: Descriptor) => string;
  readonly #onLog: ((message: string) => void) | undefined;
  readonly #told = new Set<string>();

  constructor(
    nameOf: (descriptor: Descriptor) => string,
    onLog: ((message: string) => void) | undefined,
  ) {
    this.#nameOf = nameOf;
    this.#onLog = onLog;
  }

  waiting({ descriptor, holder }: AwaitedBlob): void {
    const name = describeHolder(holder);
    const text = `${this.#nameOf(descriptor)} is being fetched by ${name}: waiting for it`;
    this.#tellOnce(`waiting ${name}`, text);
  }

  takeover(descriptor: Descriptor, holder: Holder): void {
    const name = describeHolder(holder);
    const text = `${this.#nameOf(descriptor)} is fetched here: ${name} did not finish it`;
    this.#tellOnce(`takeover ${name}`, text);
  }

  #tellOnce(key: string, message: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#onLog?.(message);
  }
}

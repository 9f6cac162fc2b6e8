/** A blob that this process fetches, from its first request until it is in the cache. */

import type { Lease } from "../system/files/lease.ts";
import type { Descriptor } from "../types/image.ts";
import type { ArrivingBlob } from "./arriving_blob.ts";

export class Download {
  readonly blob: ArrivingBlob;
  readonly #lease: Lease;
  readonly #done = Promise.withResolvers<void>();
  #commit: Promise<void> | undefined;
  #requests = new AbortController();

  constructor(blob: ArrivingBlob, lease: Lease) {
    this.blob = blob;
    this.#lease = lease;
  }

  get descriptor(): Descriptor {
    return this.blob.descriptor;
  }

  /** Resolves when the blob is verified and in the cache; never rejects. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Aborts when the requests that are under way are no longer wanted. */
  get requests(): AbortSignal {
    return this.#requests.signal;
  }

  /** The requests for a blob's last segments end in any order, but it is committed once. */
  get isToCommit(): boolean {
    return this.blob.complete && this.#commit === undefined;
  }

  /**
   * Goes on with what another process left in `file`. Gives how many bytes that are. `onDigested` is
   * called when they are digested.
   */
  takeOver(file: string, onDigested: (error?: unknown) => void): number {
    const received = this.blob.takeOver(file);
    if (received > 0) this.blob.catchUp().then(() => onDigested(), onDigested);
    return received;
  }

  /** Ends all requests; the whole blob is to be asked for anew, in one piece. */
  restart(): void {
    this.#requests.abort();
    this.#requests = new AbortController();
    this.blob.split(Infinity);
  }

  /** Puts the complete blob into the cache. Throws code `digest` when its bytes are wrong. */
  commit(): Promise<void> {
    return this.#commit = this.blob.commit().then(() => {
      this.#lease.release();
      this.#done.resolve();
    });
  }

  /** Waits for a commit that is under way. Without one, a later process can go on with the blob. */
  async close(): Promise<void> {
    await this.#commit?.catch(() => {});
    this.blob.close();
    this.#lease.release();
  }
}

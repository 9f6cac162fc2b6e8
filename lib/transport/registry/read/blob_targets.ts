/** What is learned about blobs while they are fetched. */

import type { Digest } from "../../../types/image.ts";

/** Where an endpoint's blobs are stored, and how they are served; shared by all its transfers. */
export class BlobTargets {
  /** Whether a part was asked for and a whole blob came. */
  ignoresRanges = false;
  readonly #targets = new Map<Digest, { url: URL; until: number }>();

  /** The storage that the registry redirected to for this blob a short while ago. */
  target(digest: Digest): URL | undefined {
    const target = this.#targets.get(digest);
    return target !== undefined && performance.now() < target.until ? target.url : undefined;
  }

  remember(digest: Digest, url: URL, reuseMs: number): void {
    this.#targets.set(digest, { url, until: performance.now() + reuseMs });
  }

  forget(digest: Digest): void {
    this.#targets.delete(digest);
  }
}

/** What one source learns of its blobs while it fetches them. */

import type { Digest } from "../../../types/image.ts";

/** What is known of where blobs lie and how they are served; shared by a source's transfers. */
export class BlobPlaces {
  /** Whether a whole blob came when a part was asked for. */
  ignoresRanges = false;
  readonly #targets = new Map<Digest, { url: URL; until: number }>();

  /** The storage that the registry sent us to for this blob a short while ago. */
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

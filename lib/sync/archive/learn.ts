/** Finds which blobs the other side has, from the digests of its manifests. */

import { blobsOf, type DocumentTree, readTree } from "../../copy/image_tree.ts";
import { hasCode, throwIfAborted } from "../../errors.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { ImageSource } from "../../types/source.ts";
import type { ListedImage } from "../listed_image.ts";
import { fullNameOf } from "../listed_image.ts";
import { type Have, repositoryOf } from "./have.ts";

/** In one repository: a list of the other side may name many repositories. */
const MAX_QUESTIONS = 1000;

/**
 * A manifest on the other side has its blobs there. Those of the list's images are read anyway; other
 * manifests, of older images perhaps, are asked for where the images come from, which may be in vain.
 */
export class Learner {
  readonly #have: Have;
  /** Digests of which nobody knows yet whether they are manifests. */
  readonly #open: Set<Digest>;
  readonly #asked = new Map<string, Promise<void>>();

  constructor(have: Have) {
    this.#have = have;
    this.#open = new Set(
      [...have.digests].filter((digest) => have.holdersOf(digest)!.length === 0),
    );
  }

  /** Before the image is copied. Its source remembers what is read here. */
  async learnFrom(image: ListedImage, signal: AbortSignal): Promise<void> {
    if (this.#open.size === 0) return;
    const repository = repositoryOf(fullNameOf(image.name));
    const root = await image.source.root(signal);
    if ("document" in root) await this.#learn(root.document, image.source, repository, signal);
    const asked = this.#asked.get(repository) ??
      this.#askFor(image.source, repository, signal);
    this.#asked.set(repository, asked);
    await asked;
  }

  async #askFor(source: ImageSource, repository: string, signal: AbortSignal): Promise<void> {
    for (const digest of [...this.#open].slice(0, MAX_QUESTIONS)) {
      throwIfAborted(signal);
      try {
        // The list does not say how large it is.
        const descriptor = { digest, mediaType: "" } as Descriptor;
        await this.#learn(await source.document(descriptor, signal), source, repository, signal);
      } catch (error) {
        throwIfAborted(signal);
        if (!hasCode(error, "not_found")) return;
      }
    }
  }

  /** All below a document of the other side is there too. */
  async #learn(
    root: StoredDocument,
    source: ImageSource,
    repository: string,
    signal: AbortSignal,
  ): Promise<void> {
    const tree: DocumentTree = new Map();
    await readTree(root, source, tree, { connections: 4, signal });
    for (const [digest, node] of tree) {
      if (this.#have.holdersOf(digest) === undefined) continue;
      this.#open.delete(digest);
      this.#have.add(digest, repository);
      const blobs = blobsOf(new Map([[digest, node]]));
      for (const blob of blobs) this.#have.add(blob.digest, repository);
    }
  }
}

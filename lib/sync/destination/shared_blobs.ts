/** What one place has by now: images that go there at the same time share their blobs. */

import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { ImageDestination, OpenBlob } from "../../types/source.ts";

export class SharedBlobs {
  /** The repositories that have a blob for certain, by its digest. */
  readonly #holders = new Map<Digest, Set<string>>();
  /** Repositories and documents that were put into them. */
  readonly #documents = new Set<string>();
  readonly #onTheirWay = new Map<Digest, Promise<void>>();
  /** How many bytes of blobs were sent. */
  bytes = 0;

  /** The destination, which sends no blob twice. `repository` is that of the destination. */
  at(destination: ImageDestination, repository: string): ImageDestination {
    const hasBlob = async (blob: Descriptor, signal: AbortSignal): Promise<boolean> => {
      await this.#onTheirWay.get(blob.digest)?.catch(() => {});
      if (this.#of(blob.digest).has(repository)) return true;
      if (await destination.hasBlob(blob, signal)) return this.#note(blob, repository);
      return false;
    };
    const putBlob = async (
      blob: Descriptor,
      open: OpenBlob,
      signal: AbortSignal,
    ): Promise<void> => {
      await this.#onTheirWay.get(blob.digest)?.catch(() => {});
      if (await this.#mount(blob, destination, repository, signal)) return;
      // Another image may have begun with it meanwhile.
      if (this.#onTheirWay.has(blob.digest)) return await putBlob(blob, open, signal);
      const sending = destination.putBlob(blob, open, signal);
      this.#onTheirWay.set(blob.digest, sending);
      try {
        await sending;
        this.bytes += blob.size;
        this.#note(blob, repository);
      } finally {
        this.#onTheirWay.delete(blob.digest);
      }
    };
    const hasDocument = async (document: Descriptor, signal: AbortSignal): Promise<boolean> =>
      this.#documents.has(`${repository} ${document.digest}`) ||
      await destination.hasDocument(document, signal);
    const putDocument = async (document: StoredDocument, signal: AbortSignal): Promise<void> => {
      await destination.putDocument(document, signal);
      this.#documents.add(`${repository} ${document.digest}`);
    };
    return Object.create(destination, {
      hasDocument: { value: hasDocument },
      putDocument: { value: putDocument },
      hasBlob: { value: hasBlob },
      putBlob: { value: putBlob },
    });
  }

  /** Takes the blob from a repository that has it; also true where it is there already. */
  async #mount(
    blob: Descriptor,
    destination: ImageDestination,
    repository: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const holders = this.#of(blob.digest);
    if (holders.has(repository)) return true;
    const [other] = holders;
    if (other === undefined || destination.mount === undefined) return false;
    if (!await destination.mount(blob, other, signal)) return false;
    return this.#note(blob, repository);
  }

  #of(digest: Digest): ReadonlySet<string> {
    return this.#holders.get(digest) ?? new Set();
  }

  #note({ digest }: Descriptor, repository: string): true {
    this.#holders.set(digest, new Set(this.#of(digest)).add(repository));
    return true;
  }
}

/** A destination that only notes what it is given, so that an archive can begin with its inventory. */

import { DenrootError } from "../../errors.ts";
import { OCI_INDEX } from "../../oci/media_types.ts";
import { MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { FULL_NAME, REF_NAME } from "../../transport/layout/choose_entries.ts";
import type { IndexReferrer } from "../../transport/layout/index_file.ts";
import { asReferrer } from "../../transport/layout/referrers.ts";
import type { Descriptor, Digest, IndexEntry, StoredDocument } from "../../types/image.ts";
import type { ImageDestination, OpenBlob } from "../../types/source.ts";
import { type Have, repositoryOf } from "./have.ts";
import type { InventoryImage, NeededBlob } from "./inventory.ts";

export interface RecordedBlob {
  readonly descriptor: Descriptor;
  /** Valid as long as the image's source is open. */
  readonly open: OpenBlob;
}

export class Recorder {
  readonly documents = new Map<Digest, StoredDocument>();
  readonly blobs = new Map<Digest, RecordedBlob>();
  readonly needs = new Map<Digest, NeededBlob>();
  readonly images: InventoryImage[] = [];
  readonly #entries = new Map<string, IndexEntry>();
  readonly #referrers = new Map<Digest, IndexReferrer>();
  readonly #path: string;
  readonly #have: Have;

  /** `path` is the archive's. What the other side has is needed there, and not put. */
  constructor(path: string, have: Have) {
    this.#path = path;
    this.#have = have;
  }

  /** The file `index.json`. Throws code `limit` when it would be larger than is ever read. */
  get index(): Uint8Array {
    const named = [...this.#entries.values()];
    const digests = new Set(named.map(({ digest }) => digest));
    const nameless = [...this.#referrers.values()].filter(({ digest }) => !digests.has(digest));
    const manifests = [...named, ...nameless].map((entry) => JSON.stringify(entry)).sort();
    const bytes = new TextEncoder().encode(
      `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[${manifests.join(",")}]}`,
    );
    if (bytes.length <= MAX_MANIFEST_SIZE) return bytes;
    throw new DenrootError("limit", `The archive would have too many images: ${named.length}`, {
      hint: "Write several archives, each from a part of the list",
    });
  }

  /** The image with this full name. What it was given counts once it is committed. */
  at(name: string): ImageDestination {
    const image = new ImageInProgress();
    return {
      uri: formatReference({ scheme: "oci-archive", path: this.#path, tag: name }),
      at: (tag) => this.#beside(`${repositoryOf(name)}:${tag}`, image),
      current: () => Promise.resolve(this.#have.images.get(name)?.digest),
      hasBlob: (blob) => {
        image.named.set(blob.digest, blob);
        return Promise.resolve(this.#isThere(blob));
      },
      hasDocument: () => Promise.resolve(false),
      putBlob: (descriptor, open) => {
        image.blobs.set(descriptor.digest, { descriptor, open });
        return Promise.resolve();
      },
      putDocument: (document) => {
        image.documents.set(document.digest, document);
        return Promise.resolve();
      },
      commit: (root) => {
        this.#take(image);
        this.#list(root, name);
        const blobs = [...image.named.keys()].sort();
        this.images.push({ name, digest: root.digest, blobs });
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** A name for what refers to an image: it comes with the image, and is none of the inventory's. */
  #beside(name: string, image: ImageInProgress): ImageDestination {
    return Object.create(this.at(name), {
      commit: {
        value: (root: StoredDocument) => {
          image.besides.push([root, name]);
          return Promise.resolve();
        },
      },
    });
  }

  #take({ named, blobs, documents, besides }: ImageInProgress): void {
    for (const [digest, blob] of blobs) {
      if (!this.blobs.has(digest)) this.blobs.set(digest, blob);
    }
    for (const [digest, document] of documents) {
      this.documents.set(digest, document);
      const referrer = asReferrer(document);
      if (referrer !== undefined) this.#referrers.set(digest, referrer);
    }
    for (const { digest, size } of named.values()) {
      const holders = this.#have.holdersOf(digest);
      if (holders === undefined || this.blobs.has(digest)) continue;
      this.needs.set(digest, { digest, size, in: [...holders].sort() });
    }
    for (const [root, name] of besides) this.#list(root, name);
  }

  #list({ mediaType, digest, bytes }: StoredDocument, name: string): void {
    const hasFullName = name.includes("/") && !name.includes("@");
    const annotations = { [REF_NAME]: name, ...(hasFullName && { [FULL_NAME]: name }) };
    this.#entries.set(name, { mediaType, digest, size: bytes.length, annotations });
  }

  #isThere({ digest }: Descriptor): boolean {
    return this.blobs.has(digest) || this.#have.holdersOf(digest) !== undefined;
  }
}

/** One image on its way into the archive: it may still fail. */
class ImageInProgress {
  /** All blobs of the image. */
  readonly named = new Map<Digest, Descriptor>();
  /** Those that go into the archive. */
  readonly blobs = new Map<Digest, RecordedBlob>();
  readonly documents = new Map<Digest, StoredDocument>();
  readonly besides: (readonly [root: StoredDocument, name: string])[] = [];
}

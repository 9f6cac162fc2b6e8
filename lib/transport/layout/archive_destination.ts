/**
 * Writes an image layout as a tar, in one pass: `oci-archive:PATH`. With a list of images as
 * `docker save` writes it, `docker load` of any version reads the same tar: `docker-archive:PATH`.
 */

import { throwIfAborted } from "../../errors.ts";
import { blobPath, verifyDigest } from "../../oci/digest.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { CommitOptions, ImageDestination, OpenBlob } from "../../types/source.ts";
import { fileExists } from "../archive/archive_target.ts";
import { writeError } from "../archive/write_error.ts";
import type { TarOutput } from "../archive/tar_output.ts";
import { takeBlob } from "../take_blob.ts";
import { FULL_NAME, REF_NAME } from "./choose_entries.ts";
import {
  EMPTY_INDEX,
  indexBytes,
  type IndexFile,
  type IndexReferrer,
  MARKER,
} from "./index_file.ts";
import { asReferrer } from "./referrers.ts";

export interface ArchiveOptions {
  readonly output: TarOutput;
  /** The path or engine, as messages name it. */
  readonly shown: string;
  /** The canonical URI of a name in the archive. */
  readonly uriOf: (name: string | undefined) => string;
  /** Whether the reader takes only images for one platform. */
  readonly takesOnlyImages?: boolean;
  /** Whether the reader takes only one name for an image. */
  readonly hasOneName?: boolean;
  /** Present for an engine: what it knows the image by that has the name. */
  readonly idOf?: (name: string, signal: AbortSignal) => Promise<Digest | undefined>;
  /** Lists images as `docker save` does; absent for a plain layout. */
  readonly savedImages?: SavedImages;
}

/** What makes a layout an archive of `docker save`. */
export interface SavedImages {
  /** Adds an image under its full names. */
  add(manifest: StoredDocument, names: readonly string[]): void;
  /** The file `manifest.json`. */
  readonly list: Uint8Array;
}

/** What all names in one archive share. */
export class ArchiveInProgress {
  readonly options: ArchiveOptions;
  readonly members = new Map<Digest, number>();
  readonly referrers = new Map<Digest, IndexReferrer>();
  index: IndexFile = EMPTY_INDEX;

  constructor(options: ArchiveOptions) {
    this.options = options;
  }
}

export class ArchiveDestination implements ImageDestination {
  readonly uri: string;
  readonly takesOnlyImages?: true;
  readonly at?: (name: string) => ImageDestination;
  readonly currentId?: (signal: AbortSignal) => Promise<Digest | undefined>;
  readonly #archive: ArchiveInProgress;
  readonly #name: string | undefined;

  constructor(name: string | undefined, archive: ArchiveInProgress) {
    this.uri = archive.options.uriOf(name);
    this.#name = name;
    this.#archive = archive;
    if (archive.options.takesOnlyImages) this.takesOnlyImages = true;
    const { idOf } = archive.options;
    if (idOf !== undefined && name !== undefined) this.currentId = (signal) => idOf(name, signal);
    if (!archive.options.hasOneName) {
      this.at = (name) => new ArchiveDestination(this.#besides(name), archive);
    }
  }

  current(): Promise<Digest | undefined> {
    const name = this.#name;
    const isIt = ({ annotations }: { readonly annotations?: unknown }) =>
      (annotations as Record<string, unknown> | undefined)?.[REF_NAME] === name;
    const entry = name === undefined ? undefined : this.#archive.index.manifests.find(isIt);
    return Promise.resolve(entry?.digest as Digest | undefined);
  }

  hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#archive.members.get(digest) === size);
  }

  hasDocument(descriptor: Descriptor): Promise<boolean> {
    return this.hasBlob(descriptor);
  }

  async putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void> {
    const { digest, size } = descriptor;
    await this.#add(
      blobPath(digest),
      size,
      signal,
      (write) => takeBlob(descriptor, open, signal, write),
    );
    this.#archive.members.set(digest, size);
  }

  async putDocument(document: StoredDocument, signal: AbortSignal): Promise<void> {
    const { digest, bytes } = document;
    verifyDigest(bytes, digest, `The manifest for ${this.uri}`);
    await this.#add(blobPath(digest), bytes.length, signal, (write) => write(bytes));
    this.#archive.members.set(digest, bytes.length);
    const referrer = asReferrer(document);
    if (referrer !== undefined) this.#archive.referrers.set(digest, referrer);
  }

  commit(root: StoredDocument, options: CommitOptions, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const { referrers, options: { shown, savedImages } } = this.#archive;
    const image = { mediaType: root.mediaType, digest: root.digest, size: root.bytes.length };
    const tags = [this.#name, ...options.furtherTags.map((tag) => this.#besides(tag))]
      .filter((name) => name !== undefined);
    const addition = { image, tags, referrers: [...referrers.values()], replace: options.replace };
    const bytes = indexBytes(this.#archive.index, addition, shown);
    this.#archive.index = JSON.parse(new TextDecoder().decode(bytes));
    referrers.clear();
    savedImages?.add(root, tags);
    return Promise.resolve();
  }

  async finish(signal: AbortSignal): Promise<void> {
    const { index, options: { output, savedImages, shown } } = this.#archive;
    // An engine has the image already.
    if (index.manifests.length === 0) return;
    const text = (name: string, bytes: Uint8Array) =>
      this.#add(name, bytes.length, signal, (write) => write(bytes));
    await text("oci-layout", new TextEncoder().encode(MARKER));
    if (savedImages !== undefined) await text("manifest.json", savedImages.list);
    const named = savedImages === undefined ? index : withFullNames(index);
    await text("index.json", new TextEncoder().encode(JSON.stringify(named)));
    throwIfAborted(signal);
    if (!await this.#written(() => output.end())) throw fileExists(shown);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#archive.options.output.close();
    return Promise.resolve();
  }

  /** A tag beside a full name is one of the same repository. */
  #besides(tag: string): string {
    const colon = this.#name?.lastIndexOf(":") ?? -1;
    const isFull = this.#archive.options.savedImages !== undefined && colon > 0 &&
      !/[/:]/.test(tag);
    return isFull ? `${this.#name!.slice(0, colon)}:${tag}` : tag;
  }

  async #add(
    name: string,
    size: number,
    signal: AbortSignal,
    fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { output } = this.#archive.options;
    await this.#written(() =>
      output.add(name, size, (write) => fill((bytes) => this.#written(() => write(bytes))), signal)
    );
  }

  /** An error of the system becomes one that names the archive. */
  async #written<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      throw writeError(this.#archive.options.shown, cause);
    }
  }
}

/** Docker wants the full name beside the tag. */
function withFullNames(index: IndexFile): IndexFile {
  const manifests = index.manifests.map((entry) => {
    const { [REF_NAME]: name, ...others } = (entry.annotations ?? {}) as Record<string, string>;
    if (name === undefined) return entry;
    const full = fullName(parseImageName(name));
    const tag = full.slice(full.lastIndexOf(":") + 1);
    return { ...entry, annotations: { ...others, [FULL_NAME]: full, [REF_NAME]: tag } };
  });
  return { ...index, manifests };
}

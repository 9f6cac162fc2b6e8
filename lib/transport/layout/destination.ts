/** An image layout in a directory that takes images: `oci:PATH[:TAG]` -> `ImageDestination`. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, isDiskFull, messageOf, throwIfAborted } from "../../errors.ts";
import { blobPath, verifyDigest } from "../../oci/digest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { AtomicFile } from "../../system/files/atomic_file.ts";
import { removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { realPath, resolvedPath } from "../../system/files/real_names.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";
import type { CommitOptions, ImageDestination, OpenBlob } from "../../types/source.ts";
import { takeBlob } from "../take_blob.ts";
import { filesOfDirectory, type ImageFiles, requireInside } from "../image_files.ts";
import { asReferrer } from "./referrers.ts";
import { addToIndex, digestInIndex, type IndexReferrer } from "./index_file.ts";
import { checkMarker } from "./source.ts";

/** Files of denroot's own in the root: unfinished ones, and the lock of the index. */
const OWN_FILE = /^\.denroot-/;
const TEMPORARY = /^\.denroot-(.+)\.tmp$/;
/** As skopeo does it, whatever the umask: the directory decides who may see the layout. */
const READABLE_BY_ALL = { mode: 0o644 };

/**
 * Opens a layout, or a directory that is to become one: it may be absent or empty. Blobs and
 * documents that were put stay when there is no commit; no name leads to them then, and a later
 * attempt finds them.
 *
 * Throws code `reference` for a reference that cannot name a new image, `exists` for a directory
 * with other files in it, `unsupported` for a layout of another version than 1, `file` when the
 * directory cannot be written.
 */
export async function openLayoutDestination(
  reference: OciReference,
  { signal }: { readonly signal: AbortSignal },
): Promise<ImageDestination> {
  throwIfAborted(signal);
  if (reference.index !== undefined) throw noNewPosition(reference);
  const { path } = reference;
  const isNew = await onDisk(path, () => prepare(path));
  const place = {
    isNew,
    root: resolvedPath(path),
    files: filesOfDirectory(path),
    referrers: new Map<Digest, IndexReferrer>(),
  };
  return new LayoutDestination(reference, place);
}

/**
 * Makes the directory, checks that it is a layout or may become one, and removes leftovers. Gives
 * whether it is new.
 */
async function prepare(directory: string): Promise<boolean> {
  const isNew = fs.mkdirSync(directory, { recursive: true }) !== undefined;
  fs.accessSync(directory, fs.constants.W_OK);
  const names = fs.readdirSync(directory);
  if (names.includes("oci-layout")) {
    await checkMarker(filesOfDirectory(directory));
  } else if (!names.every((name) => OWN_FILE.test(name) || name === "blobs")) {
    throw notEmpty(directory);
  }
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
  return isNew;
}

/** What all names of one layout share. */
interface Place {
  /** Whether the directory was made for this destination: it goes away if nothing comes into it. */
  readonly isNew: boolean;
  readonly root: string;
  readonly files: ImageFiles;
  /** What was put and refers to another manifest; the next commit lists it. */
  readonly referrers: Map<Digest, IndexReferrer>;
}

class LayoutDestination implements ImageDestination {
  readonly uri: string;
  readonly #reference: OciReference;
  readonly #place: Place;

  /** The directory exists. */
  constructor(reference: OciReference, place: Place) {
    this.uri = formatReference(reference);
    this.#reference = reference;
    this.#place = place;
  }

  at(tag: string): ImageDestination {
    const { scheme, path } = this.#reference;
    return new LayoutDestination({ scheme, path, tag }, this.#place);
  }

  async current(): Promise<Digest | undefined> {
    const { path, tag } = this.#reference;
    return await onDisk(
      path,
      () => tag === undefined ? undefined : digestInIndex(this.#place.root, tag),
    );
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    const { path } = this.#reference;
    return await onDisk(path, () => this.#place.files.locate(blobPath(digest))?.size === size);
  }

  async hasDocument(descriptor: Descriptor): Promise<boolean> {
    return await this.hasBlob(descriptor);
  }

  async putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void> {
    await this.#store(descriptor.digest, (write) => takeBlob(descriptor, open, signal, write));
  }

  async putDocument(document: StoredDocument, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const { digest, bytes } = document;
    verifyDigest(bytes, digest, `The manifest for ${this.uri}`);
    await this.#store(digest, (write) => write(bytes, 0));
    const referrer = asReferrer(document);
    if (referrer !== undefined) this.#place.referrers.set(digest, referrer);
  }

  async commit(
    root: StoredDocument,
    { replace, furtherTags }: CommitOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { path, tag, digest } = this.#reference;
    if (digest !== undefined && digest !== root.digest) throw otherDigest(this.uri, root);
    const image = { mediaType: root.mediaType, digest: root.digest, size: root.bytes.length };
    if (!await this.hasDocument(image)) {
      throw new TypeError(`${root.digest} is put before it gets a name`);
    }
    const tags = [...(tag === undefined ? [] : [tag]), ...furtherTags];
    const referrers = [...this.#place.referrers.values()];
    const addition = { image, tags, referrers, replace };
    await onDisk(path, () => addToIndex(this.#place.root, addition, signal));
    this.#place.referrers.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    const { isNew, root } = this.#place;
    if (isNew && fs.readdirSync(root).length === 0) fs.rmdirSync(root);
    return Promise.resolve();
  }

  /** Stores what `fill` writes under its digest. When `fill` throws, nothing stays. */
  async #store(
    digest: Digest,
    fill: (write: (bytes: Uint8Array, position: number) => void) => void | Promise<void>,
  ): Promise<void> {
    const { path: directory } = this.#reference;
    const target = path.join(this.#place.root, blobPath(digest));
    // Not beside its target: other tools take each file there for a blob.
    const temporary = path.join(this.#place.root, `.denroot-${processMark()}.tmp`);
    const file = new AtomicFile(temporary, READABLE_BY_ALL);
    try {
      await onDisk(directory, () => file.create());
      await fill((bytes, position) => {
        try {
          file.write(bytes, position);
        } catch (cause) {
          throw layoutError(directory, cause);
        }
      });
      await onDisk(directory, async () => {
        fs.mkdirSync(path.dirname(target), { recursive: true });
        requireInside(this.#place.root, realPath(path.dirname(target)), shownBlob(digest));
        await file.publish(target, { replace: true });
      });
    } finally {
      file.close();
    }
  }
}

/** Does something in the layout. An error of the system becomes one that names the layout. */
async function onDisk<T>(directory: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw layoutError(directory, cause);
  }
}

function shownBlob(digest: Digest): string {
  return `The directory for the blob ${digest}`;
}

function noNewPosition({ scheme, path }: OciReference): DenrootError {
  return new DenrootError("reference", "A new image has no position in the layout yet", {
    hint: `Name it by a tag: ${scheme}:${path}:TAG`,
  });
}

function notEmpty(directory: string): DenrootError {
  return new DenrootError(
    "exists",
    `The directory ${quotePath(directory)} has files in it and is no OCI image layout`,
    { hint: "Name a layout, or a directory that is empty or absent" },
  );
}

function otherDigest(uri: string, { digest }: StoredDocument): DenrootError {
  return new DenrootError("digest", `The image for ${uri} has the digest ${digest}`);
}

function layoutError(directory: string, cause: unknown): unknown {
  if (cause instanceof DenrootError || cause instanceof TypeError) return cause;
  if (isDiskFull(cause)) {
    return new DenrootError("space", `There is no room left in ${quotePath(directory)}`, {
      cause,
      hint: "Free some space there and copy again: what is there already is not sent anew",
    });
  }
  const message = `The layout ${quotePath(directory)} cannot be written: ${messageOf(cause)}`;
  return new DenrootError("file", message, { cause });
}

/** An image layout in a directory that takes images: `oci:PATH[:TAG]` -> `ImageDestination`. */

import type { Hash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf, throwIfAborted } from "../../errors.ts";
import { blobPath, createDigestHash, parseDigest, verifyDigest } from "../../oci/digest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { AtomicFile } from "../../system/files/atomic_file.ts";
import { removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { realPath, resolvedPath } from "../../system/files/real_names.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";
import type { ImageDestination, OpenBlob } from "../../types/source.ts";
import { filesOfDirectory, type ImageFiles, requireInside } from "../image_files.ts";
import { addToIndex, digestInIndex } from "./index_file.ts";
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
  await onDisk(reference.path, () => prepare(reference.path));
  return new LayoutDestination(reference);
}

/** Makes the directory, checks that it is a layout or may become one, and removes leftovers. */
async function prepare(directory: string): Promise<void> {
  fs.mkdirSync(directory, { recursive: true });
  fs.accessSync(directory, fs.constants.W_OK);
  const names = fs.readdirSync(directory);
  if (names.includes("oci-layout")) {
    await checkMarker(filesOfDirectory(directory));
  } else if (!names.every((name) => OWN_FILE.test(name) || name === "blobs")) {
    throw notEmpty(directory);
  }
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
}

class LayoutDestination implements ImageDestination {
  readonly uri: string;
  readonly #reference: OciReference;
  readonly #root: string;
  readonly #files: ImageFiles;

  /** The directory exists. */
  constructor(reference: OciReference) {
    this.uri = formatReference(reference);
    this.#reference = reference;
    this.#root = resolvedPath(reference.path);
    this.#files = filesOfDirectory(reference.path);
  }

  async current(): Promise<Digest | undefined> {
    const { path, tag } = this.#reference;
    return await onDisk(path, () => tag === undefined ? undefined : digestInIndex(this.#root, tag));
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    const { path } = this.#reference;
    return await onDisk(path, () => this.#files.locate(blobPath(digest))?.size === size);
  }

  async hasDocument(descriptor: Descriptor): Promise<boolean> {
    return await this.hasBlob(descriptor);
  }

  async putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void> {
    await this.#store(descriptor.digest, async (write) => {
      const hash = createDigestHash(descriptor.digest);
      let size = 0;
      for await (const chunk of open(0)) {
        throwIfAborted(signal);
        // A source that does not end must not fill the disk.
        if (size + chunk.length > descriptor.size) throw tooLong(descriptor);
        hash.update(chunk);
        write(chunk, size);
        size += chunk.length;
      }
      checkContent(descriptor, size, hash);
    });
  }

  async putDocument({ digest, bytes }: StoredDocument, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    verifyDigest(bytes, digest, `The manifest for ${this.uri}`);
    await this.#store(digest, (write) => write(bytes, 0));
  }

  async commit(root: StoredDocument, _options: unknown, signal: AbortSignal): Promise<void> {
    const { path, tag, digest } = this.#reference;
    if (digest !== undefined && digest !== root.digest) throw otherDigest(this.uri, root);
    const image = { mediaType: root.mediaType, digest: root.digest, size: root.bytes.length };
    if (!await this.hasDocument(image)) {
      throw new TypeError(`${root.digest} is put before it gets a name`);
    }
    await onDisk(path, () => addToIndex(this.#root, image, tag, signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Stores what `fill` writes under its digest. When `fill` throws, nothing stays. */
  async #store(
    digest: Digest,
    fill: (write: (bytes: Uint8Array, position: number) => void) => void | Promise<void>,
  ): Promise<void> {
    const { path: directory } = this.#reference;
    const target = path.join(this.#root, blobPath(digest));
    // Not beside its target: other tools take each file there for a blob.
    const temporary = path.join(this.#root, `.denroot-${processMark()}.tmp`);
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
        requireInside(this.#root, realPath(path.dirname(target)), shownBlob(digest));
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

function checkContent({ digest, size }: Descriptor, actualSize: number, hash: Hash): void {
  if (actualSize !== size) {
    throw new DenrootError("digest", `Blob ${digest} came with ${actualSize} bytes, not ${size}`);
  }
  const actual = `${parseDigest(digest).algorithm}:${hash.digest("hex")}`;
  if (actual !== digest) throw new DenrootError("digest", `Blob ${digest} came as ${actual}`);
}

function tooLong({ digest, size }: Descriptor): DenrootError {
  return new DenrootError("digest", `Blob ${digest} came with more than ${size} bytes`);
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
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DenrootError("space", `There is no room left in ${quotePath(directory)}`, { cause });
  }
  const message = `The layout ${quotePath(directory)} cannot be written: ${messageOf(cause)}`;
  return new DenrootError("file", message, { cause });
}

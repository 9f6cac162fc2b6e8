/** An image layout in a directory that takes images: `oci:PATH[:TAG]` -> `ImageDestination`. */

import type { Hash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf, throwIfAborted } from "../../errors.ts";
import { blobPath, createDigestHash, parseDigest, verifyDigest } from "../../oci/digest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { AtomicFile, writeFileAtomically } from "../../system/files/atomic_file.ts";
import { removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { resolvedPath } from "../../system/files/real_names.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { Descriptor, StoredDocument } from "../../types/image.ts";
import type { OciReference } from "../../types/reference.ts";
import type { ImageDestination } from "../../types/source.ts";
import { addToIndex } from "./index_file.ts";

const TEMPORARY = /^\.denroot-(.+)\.tmp$/;
const READABLE_BY_ALL = { mode: 0o644 };

/**
 * Opens a layout, or a directory that is to become one: it may be absent or empty. Blobs and
 * documents that were put stay when there is no commit; no name leads to them then, and a later
 * attempt finds them.
 *
 * Throws code `reference` for a reference that cannot name a new image, `exists` for a directory
 * with other files in it, `file` when it cannot be written.
 */
export async function openLayoutDestination(
  reference: OciReference,
  { signal }: { readonly signal: AbortSignal },
): Promise<ImageDestination> {
  throwIfAborted(signal);
  if (reference.index !== undefined) throw noNewPosition(reference);
  const layout = new LayoutDestination(reference);
  layout.open();
  return await Promise.resolve(layout);
}

class LayoutDestination implements ImageDestination {
  readonly uri: string;
  readonly #reference: OciReference;
  readonly #root: string;

  constructor(reference: OciReference) {
    this.uri = formatReference(reference);
    this.#reference = reference;
    this.#root = resolvedPath(reference.path);
  }

  open(): void {
    this.#attempt(() => {
      fs.mkdirSync(this.#root, { recursive: true });
      const names = fs.readdirSync(this.#root);
      const isNew = names.every((name) => TEMPORARY.test(name) || name === "blobs");
      if (!isNew && !names.includes("oci-layout")) throw notEmpty(this.#reference.path);
      removeStale(this.#root, (name) => TEMPORARY.exec(name)?.[1]);
    });
  }

  has({ digest, size }: Descriptor): Promise<boolean> {
    const found = fs.statSync(this.#fileOf(digest), { throwIfNoEntry: false });
    return Promise.resolve(found?.isFile() === true && found.size === size);
  }

  async putBlob(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const temporary = path.join(this.#root, `.denroot-${processMark()}.tmp`);
    const file = new AtomicFile(temporary, READABLE_BY_ALL);
    try {
      this.#attempt(() => file.create());
      const hash = createDigestHash(descriptor.digest);
      let size = 0;
      for await (const chunk of bytes) {
        throwIfAborted(signal);
        hash.update(chunk);
        this.#attempt(() => file.write(chunk, size));
        size += chunk.length;
      }
      checkContent(descriptor, size, hash);
      await this.#publish(file, descriptor.digest);
    } finally {
      file.close();
    }
  }

  async putDocument({ digest, bytes }: StoredDocument, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    verifyDigest(bytes, digest, `The manifest for ${this.uri}`);
    const file = this.#fileOf(digest);
    await this.#attemptAsync(async () => {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      await writeFileAtomically(file, bytes, READABLE_BY_ALL);
    });
  }

  async commit(root: StoredDocument, signal: AbortSignal): Promise<void> {
    const { tag, digest } = this.#reference;
    if (digest !== undefined && digest !== root.digest) throw otherDigest(this.uri, root);
    const { mediaType, bytes: { length: size } } = root;
    if (!await this.has({ mediaType, digest: root.digest, size })) {
      throw new TypeError(`${root.digest} is put before it gets a name`);
    }
    await this.#attemptAsync(() =>
      addToIndex(this.#root, { mediaType, digest: root.digest, size }, tag, signal)
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #fileOf(digest: string): string {
    return path.join(this.#root, blobPath(digest));
  }

  async #publish(file: AtomicFile, digest: string): Promise<void> {
    const target = this.#fileOf(digest);
    await this.#attemptAsync(async () => {
      fs.mkdirSync(path.dirname(target), { recursive: true });
      await file.publish(target, { replace: true });
    });
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (cause) {
      throw layoutError(this.#reference.path, cause);
    }
  }

  async #attemptAsync(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (cause) {
      throw layoutError(this.#reference.path, cause);
    }
  }
}

function checkContent({ digest, size }: Descriptor, actualSize: number, hash: Hash): void {
  if (actualSize !== size) {
    throw new DenrootError("digest", `Blob ${digest} came with ${actualSize} bytes, not ${size}`);
  }
  const actual = `${parseDigest(digest).algorithm}:${hash.digest("hex")}`;
  if (actual !== digest) throw new DenrootError("digest", `Blob ${digest} came as ${actual}`);
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

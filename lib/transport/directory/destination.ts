/** A directory in skopeo's format that takes one image: `dir:PATH` -> `ImageDestination`. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, isDiskFull, messageOf, throwIfAborted } from "../../errors.ts";
import { parseDigest, verifyDigest } from "../../oci/digest.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { keepFresh, removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { resolvedPath } from "../../system/files/real_names.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { DirectoryReference } from "../../types/reference.ts";
import type { CommitOptions, ImageDestination, OpenBlob } from "../../types/source.ts";
import type { DestinationContext } from "../destination_context.ts";
import { takeBlob } from "../take_blob.ts";

const TEMPORARY = /^\.denroot-(.+)\.dir$/;
const VERSION = "Directory Transport Version: 1.1\n";

/**
 * Begins a directory under a temporary name. It gets its own name at the commit, whole. Throws code
 * `exists` for a directory that is not empty and is not to be replaced, or that is no such directory;
 * `file` when it cannot be made.
 */
export async function openDirectoryDestination(
  reference: DirectoryReference,
  { replace, signal }: Pick<DestinationContext, "replace" | "signal">,
): Promise<ImageDestination> {
  throwIfAborted(signal);
  const target = resolvedPath(reference.path);
  return await onDisk(reference.path, () => {
    checkTarget(target, reference.path, replace);
    const parent = path.dirname(target);
    removeStale(parent, (name) => TEMPORARY.exec(name)?.[1]);
    const directory = path.join(parent, `.denroot-${processMark()}.dir`);
    fs.mkdirSync(directory);
    return new DirectoryDestination(reference, directory, target);
  });
}

class DirectoryDestination implements ImageDestination {
  readonly uri: string;
  readonly #shown: string;
  readonly #directory: string;
  readonly #target: string;
  readonly #letAge: () => void;

  constructor(reference: DirectoryReference, directory: string, target: string) {
    this.uri = formatReference(reference);
    this.#shown = reference.path;
    this.#directory = directory;
    this.#target = target;
    this.#letAge = keepFresh(directory);
  }

  current(): Promise<Digest | undefined> {
    return Promise.resolve(undefined);
  }

  hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    const status = fs.statSync(this.#file(blobName(digest)), { throwIfNoEntry: false });
    return Promise.resolve(status?.size === size);
  }

  hasDocument({ digest }: Descriptor): Promise<boolean> {
    return Promise.resolve(fs.existsSync(this.#file(documentName(digest))));
  }

  async putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void> {
    const file = this.#file(`${blobName(descriptor.digest)}.part`);
    const descriptorNumber = await this.#onDisk(() => fs.openSync(file, "w", 0o644));
    try {
      await takeBlob(
        descriptor,
        open,
        signal,
        (bytes, position) => this.#onDisk(() => writeAll(descriptorNumber, bytes, position)),
      );
      await this.#onDisk(() => fs.renameSync(file, this.#file(blobName(descriptor.digest))));
    } finally {
      fs.closeSync(descriptorNumber);
      fs.rmSync(file, { force: true });
    }
  }

  async putDocument({ digest, bytes }: StoredDocument, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    verifyDigest(bytes, digest, `The manifest for ${this.uri}`);
    await this.#onDisk(() => fs.writeFileSync(this.#file(documentName(digest)), bytes));
  }

  /** The image has only the name of its directory; the root has a file of its own kind. */
  async commit(root: StoredDocument, { replace }: CommitOptions): Promise<void> {
    await this.#onDisk(() => {
      fs.rmSync(this.#file(documentName(root.digest)), { force: true });
      fs.writeFileSync(this.#file("manifest.json"), root.bytes);
      fs.writeFileSync(this.#file("version"), VERSION);
      checkTarget(this.#target, this.#shown, replace);
      this.#publish();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#letAge();
    fs.rmSync(this.#directory, { recursive: true, force: true });
    return Promise.resolve();
  }

  /** An empty directory gives way to a renamed one; another one moves aside for a moment. */
  #publish(): void {
    const isFull = fs.existsSync(this.#target) && fs.readdirSync(this.#target).length > 0;
    const old = `${this.#directory.replace(/\.dir$/, "")}-old.dir`;
    if (isFull) fs.renameSync(this.#target, old);
    fs.renameSync(this.#directory, this.#target);
    if (isFull) fs.rmSync(old, { recursive: true, force: true });
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }

  #onDisk<T>(action: () => T): Promise<T> {
    return onDisk(this.#shown, action);
  }
}

/** As skopeo names them: without the algorithm. */
function blobName(digest: Digest): string {
  return parseDigest(digest).hex;
}

function documentName(digest: Digest): string {
  return `${parseDigest(digest).hex}.manifest.json`;
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) {
    at += fs.writeSync(descriptor, bytes, at, bytes.length - at, position + at);
  }
}

function checkTarget(target: string, shown: string, replace: boolean): void {
  const status = fs.statSync(target, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isDirectory()) {
    throw new DenrootError("file", `${quotePath(shown)} is not a directory`);
  }
  const names = fs.readdirSync(target);
  if (names.length === 0) return;
  // Other content is never removed, not even when an image is to be replaced.
  const isImage = names.includes("version") && names.includes("manifest.json");
  if (isImage && replace) return;
  const what = isImage
    ? "has an image in it already"
    : "has files in it and is no image's directory";
  throw new DenrootError("exists", `The directory ${quotePath(shown)} ${what}`, {
    hint: isImage
      ? "Choose another name, or replace the image with --force"
      : "Name a directory that is empty or absent",
  });
}

// deno-lint-ignore require-await -- turns a thrown error into a rejection
async function onDisk<T>(shown: string, action: () => T): Promise<T> {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    if (isDiskFull(cause)) {
      throw new DenrootError("space", `There is no room left in ${quotePath(shown)}`, {
        cause,
        hint: "Free some space there, or name a directory elsewhere",
      });
    }
    const message = `The directory ${quotePath(shown)} cannot be written: ${messageOf(cause)}`;
    throw new DenrootError("file", message, { cause });
  }
}

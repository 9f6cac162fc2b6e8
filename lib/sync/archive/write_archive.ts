/** Writes an archive for a gap: to a file, in parts, or down a pipe. */

import { Buffer } from "node:buffer";
import { inParallel } from "../../copy/in_parallel.ts";
import { DenrootError, hasCode, throwIfAborted } from "../../errors.ts";
import { createDigestHash, digestOfHash } from "../../oci/digest.ts";
import { BLOCK, padding } from "../../tar/entry.ts";
import { fileHeader } from "../../tar/tar_writer.ts";
import { quotePath } from "../../text/quote_text.ts";
import { archiveTarget, fileExists } from "../../transport/archive/archive_target.ts";
import { SplitFile } from "../../transport/archive/split_file.ts";
import { openTarOutput } from "../../transport/archive/tar_output.ts";
import { writeError } from "../../transport/archive/write_error.ts";
import { takeBlob } from "../../transport/take_blob.ts";
import type { Descriptor, Digest } from "../../types/image.ts";
import type { OnProgress } from "../../types/progress.ts";
import type { Have } from "./have.ts";
import { INVENTORY, inventoryBytes, MAX_INVENTORY_BYTES, parseInventory } from "./inventory.ts";
import { inventoryOf, type Member, membersOf, MODE, placesOf } from "./members.ts";
import type { RecordedBlob, Recorder } from "./recorder.ts";

const READ_SIZE = 1024 * 1024;

export interface WriteOptions {
  readonly path: string;
  readonly have: Have;
  /** The file `manifest.json`; absent when no engine can load anything. */
  readonly loadable: Uint8Array | undefined;
  /** The largest size of a part, in bytes; undefined for a file in one piece. */
  readonly partBytes?: number | undefined;
  readonly replace: boolean;
  readonly connections: number;
  /** Is told of a blob in the cache that turned out to be damaged. */
  readonly onDamage: (digest: Digest) => void;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** Gives how many bytes came from the sources. A file that was cut is gone on with. */
export async function writeArchive(recorder: Recorder, options: WriteOptions): Promise<number> {
  const { path, replace, partBytes } = options;
  const target = await archiveTarget(path, { replace });
  try {
    if (target.type === "stream") return await writeStream(recorder, options);
    const file = new SplitFile(target.path, { partBytes, replace });
    try {
      return await writeFile(recorder, file, options);
    } catch (error) {
      throw writeError(quotePath(path), error, file.left);
    } finally {
      file.leave();
    }
  } catch (error) {
    throw writeError(quotePath(path), error);
  }
}

async function writeStream(recorder: Recorder, options: WriteOptions): Promise<number> {
  const { path, have, loadable, signal, onProgress } = options;
  const members = membersOf(recorder, inventoryOf(recorder, have, now()), loadable);
  const output = await openTarOutput(path, { replace: false });
  try {
    const progress = new BlobProgress(members, onProgress);
    for (const { name, size, content } of members) {
      const fill = (write: (bytes: Uint8Array) => Promise<void>) =>
        content instanceof Uint8Array
          ? write(content)
          : fetch(content, options, progress, (bytes) => write(bytes));
      await output.add(name, size, fill, signal);
    }
    await output.end();
    return progress.sent;
  } finally {
    output.close();
  }
}

async function writeFile(
  recorder: Recorder,
  file: SplitFile,
  options: WriteOptions,
): Promise<number> {
  const { path, connections, signal, onProgress } = options;
  const { members, isOld } = planFile(recorder, file, options);
  const { places, size } = placesOf(members);
  const progress = new BlobProgress(members, onProgress);
  const placed = members.map((member, index) => ({ ...member, place: places[index]! }));
  // In their order, as far as possible: a file system without holes would fill them with zeros.
  await inParallel(placed, connections, signal, async ({ name, size, content, place }, signal) => {
    const header = fileHeader(name, size, MODE);
    const start = place + header.length;
    file.write(header, place);
    if (content instanceof Uint8Array) {
      file.write(content, start);
    } else if (isOld && isWritten(content.descriptor, file, start, signal)) {
      progress.has(content);
    } else {
      await fetch(content, { ...options, signal }, progress, (bytes, at) => {
        file.write(bytes, start + at);
        return Promise.resolve();
      });
    }
    file.write(Buffer.alloc(padding(size)), start + size);
  });
  file.write(Buffer.alloc(2 * BLOCK), size - 2 * BLOCK);
  throwIfAborted(signal);
  if (!await file.publish(size, signal)) throw fileExists(quotePath(path));
  return progress.sent;
}

/** What a dead process wrote is used when it began the same archive; its time is kept then. */
function planFile(
  recorder: Recorder,
  file: SplitFile,
  { have, loadable, onProgress, path }: WriteOptions,
): { readonly members: readonly Member[]; readonly isOld: boolean } {
  const created = timeOfLeft(file);
  if (created !== undefined) {
    const inventory = inventoryOf(recorder, have, created);
    const bytes = inventoryBytes(inventory);
    const left = Buffer.alloc(bytes.length);
    if (file.read(left, BLOCK) && left.equals(bytes)) {
      const message = `Going on with the archive ${quotePath(path)}, which was begun at ${created}`;
      onProgress({ type: "log", level: "info", message });
      return { members: membersOf(recorder, inventory, loadable), isOld: true };
    }
  }
  file.clear();
  const inventory = inventoryOf(recorder, have, now());
  return { members: membersOf(recorder, inventory, loadable), isOld: false };
}

/** The time in the inventory that is the file's first member, if there is one. */
function timeOfLeft(file: SplitFile): string | undefined {
  const header = Buffer.alloc(BLOCK);
  if (!file.read(header, 0) || !header.toString("latin1").startsWith(`${INVENTORY}\0`)) {
    return undefined;
  }
  const size = parseInt(header.toString("latin1", 124, 135), 8);
  if (!(size <= MAX_INVENTORY_BYTES)) return undefined;
  const bytes = Buffer.alloc(size);
  try {
    return file.read(bytes, BLOCK) ? parseInventory(bytes, "The inventory")?.created : undefined;
  } catch (error) {
    if (error instanceof DenrootError) return undefined;
    throw error;
  }
}

/** Whether the whole blob is there: what a killed process wrote may have holes. */
function isWritten(
  { digest, size }: Descriptor,
  file: SplitFile,
  start: number,
  signal: AbortSignal,
): boolean {
  const hash = createDigestHash(digest);
  const buffer = Buffer.alloc(Math.min(READ_SIZE, size));
  for (let at = 0; at < size; at += READ_SIZE) {
    throwIfAborted(signal);
    const piece = buffer.subarray(0, Math.min(READ_SIZE, size - at));
    if (!file.read(piece, start + at)) return false;
    hash.update(piece);
  }
  return digestOfHash(hash, digest) === digest;
}

async function fetch(
  { descriptor, open }: RecordedBlob,
  { signal, onDamage }: WriteOptions,
  progress: BlobProgress,
  write: (bytes: Uint8Array, position: number) => Promise<void>,
): Promise<void> {
  try {
    await takeBlob(descriptor, open, signal, async (bytes, position) => {
      await write(bytes, position);
      progress.add(descriptor.digest, position + bytes.length);
    });
    progress.end(descriptor, "sent");
  } catch (error) {
    if (hasCode(error, "digest")) onDamage(descriptor.digest);
    throw error;
  }
}

/** The blobs of an archive as the progress of a copy. */
class BlobProgress {
  sent = 0;
  readonly #indexes = new Map<Digest, number>();
  readonly #sizes: readonly number[];
  readonly #onProgress: OnProgress;

  constructor(members: readonly Member[], onProgress: OnProgress) {
    const blobs = members.flatMap(({ content }) =>
      content instanceof Uint8Array ? [] : [content.descriptor]
    );
    for (const [index, { digest }] of blobs.entries()) this.#indexes.set(digest, index);
    this.#sizes = blobs.map(({ size }) => size);
    this.#onProgress = onProgress;
    onProgress({ type: "copying", blobs });
  }

  add(digest: Digest, sent: number): void {
    const index = this.#indexes.get(digest)!;
    this.#onProgress({ type: "blob", index, size: this.#sizes[index]!, sent });
  }

  end({ digest, size }: Descriptor, fate: "sent" | "present"): void {
    if (fate === "sent") this.sent += size;
    const index = this.#indexes.get(digest)!;
    this.#onProgress({ type: "blob", index, size, sent: size, fate });
  }

  has({ descriptor }: RecordedBlob): void {
    this.end(descriptor, "present");
  }
}

/** RFC 3339. */
function now(): string {
  return new Date().toISOString();
}

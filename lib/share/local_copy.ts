/** Copies a shared image to a disk of this machine, where the settings want that. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { messageOf, throwIfAborted } from "../errors.ts";
import { AtomicFile } from "../system/files/atomic_file.ts";
import { waitForLease } from "../system/files/lease.ts";
import { removeStale } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import { freeSpace } from "../system/host/free_space.ts";
import type { PlacedImage } from "./find_or_make.ts";
import { keyOf, wholeSize } from "./finished_images.ts";
import { makeLocalDirectory } from "./local_directory.ts";
import type { SharedImage, ShareTask } from "./share_image.ts";

/** It stays free: the disk has other users. */
const SPARE_BYTES = 512 * 2 ** 20;
/** A copy that was asked for so recently may be about to be opened. */
const IN_USE_MS = 60 * 60 * 1000;
const PIECE_BYTES = 4 * 2 ** 20;
const TEMPORARY = /^\.denroot-(.+)\.copy$/;

/**
 * Gives the copy on this machine, or the shared image itself where there is no room for a copy. A
 * copy is used by its user alone.
 */
export async function localCopy(image: PlacedImage, task: ShareTask): Promise<SharedImage> {
  const { settings, signal, onProgress } = task;
  if (settings.shareLocalPath === undefined) return image;
  try {
    const directory = makeLocalDirectory(settings);
    const copy = path.join(directory, path.basename(image.path));
    const lease = await waitForLease(`${copy}.lease`, { signal });
    try {
      if (!isCopy(copy, image)) await makeCopy(image, copy, signal);
    } finally {
      lease.release();
    }
    // This machine's own clock wrote this time and will read it.
    fs.utimesSync(copy, new Date(), new Date());
    return { path: copy, bytes: image.bytes, place: "local" };
  } catch (error) {
    throwIfAborted(signal);
    const message = `The image is not copied to this machine: ${messageOf(error)}`;
    onProgress({ type: "log", level: "info", message });
    return image;
  }
}

function isCopy(copy: string, { bytes }: PlacedImage): boolean {
  return wholeSize(copy, process.geteuid!()) === bytes;
}

async function makeCopy(image: PlacedImage, copy: string, signal: AbortSignal): Promise<void> {
  const directory = path.dirname(copy);
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
  makeRoom(directory, image.bytes);
  const file = new AtomicFile(path.join(directory, `.denroot-${processMark()}.copy`), {
    mode: 0o400,
  });
  const from = await fs.promises.open(image.path, "r");
  try {
    const buffer = Buffer.alloc(PIECE_BYTES);
    for (let at = 0;;) {
      throwIfAborted(signal);
      const { bytesRead } = await from.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      file.write(buffer.subarray(0, bytesRead), at);
      at += bytesRead;
    }
    await file.publish(copy, { replace: true, durable: false });
  } finally {
    await from.close();
    file.close();
  }
  if (!isCopy(copy, image)) throw new Error("the copy is not whole");
}

/** Removes copies, the least recently used first. A file that is open on a local disk lives on. */
function makeRoom(directory: string, bytes: number): void {
  const copies = fs.readdirSync(directory).filter((name) => keyOf(name)?.startsWith("sha"))
    .map((name) => path.join(directory, name))
    .map((file) => ({ file, usedMs: fs.statSync(file).mtimeMs }))
    .sort((one, other) => one.usedMs - other.usedMs);
  for (const { file, usedMs } of copies) {
    if (isRoom(directory, bytes)) return;
    if (Date.now() - usedMs > IN_USE_MS) fs.rmSync(file, { force: true });
  }
  if (!isRoom(directory, bytes)) throw new Error(`there is too little room in ${directory}`);
}

function isRoom(directory: string, bytes: number): boolean {
  return freeSpace(directory).bytes > bytes + SPARE_BYTES;
}

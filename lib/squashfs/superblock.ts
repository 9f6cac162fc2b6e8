/** Reads what stands at the beginning of a squashfs image, and refuses what is none. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { DenrootError, isMissing, messageOf, systemCode } from "../errors.ts";

export interface Superblock {
  /** `gzip`, `zstd`, …; undefined for one that squashfs does not have. */
  readonly compressor: string | undefined;
  /** How many files and directories the image has. */
  readonly inodes: number;
  /** The size of the image in bytes, without padding. */
  readonly bytes: number;
}

/** What a squashfs image begins with, a byte for each character. */
export const SQUASHFS_MAGIC = "hsqs";
/** The size of the superblock (`struct squashfs_super_block` of the kernel's squashfs_fs.h). */
export const SUPERBLOCK_BYTES = 96;

/** The magic of images that were made on big-endian machines, before version 4. */
const SWAPPED_MAGIC = "sqsh";
const GZIP = Buffer.from([0x1f, 0x8b]);
const MAJOR = 4;
/** By the numbers that the kernel gives them (squashfs_fs.h). */
const COMPRESSORS = [undefined, "gzip", "lzma", "lzo", "xz", "lz4", "zstd"];

/**
 * Throws code `not_found` where there is no file, `file` where it cannot be read, and `squashfs` for a
 * file that is no squashfs image of version 4, or one that is cut short.
 */
export function readSuperblock(image: string): Superblock {
  const { head, size } = readHead(image);
  const magic = head.toString("latin1", 0, SQUASHFS_MAGIC.length);
  if (magic !== SQUASHFS_MAGIC) throw noImage(image, head, magic);
  if (head.length < SUPERBLOCK_BYTES) throw cutShort(image, size, SUPERBLOCK_BYTES);
  const [major, minor] = [head.readUInt16LE(28), head.readUInt16LE(30)];
  if (major !== MAJOR) {
    throw new DenrootError("squashfs", `${image} has squashfs version ${major}.${minor}, not 4.0`, {
      hint: "No Linux of today reads it; import the image again",
    });
  }
  const bytes = imageBytes(head)!;
  if (size < bytes) throw cutShort(image, size, bytes);
  return { compressor: COMPRESSORS[head.readUInt16LE(20)], inodes: head.readUInt32LE(4), bytes };
}

/** The size that a superblock gives the image, without padding; undefined for what is no superblock. */
export function imageBytes(head: Buffer): number | undefined {
  if (head.toString("latin1", 0, SQUASHFS_MAGIC.length) !== SQUASHFS_MAGIC) return undefined;
  return head.length < SUPERBLOCK_BYTES ? undefined : Number(head.readBigUInt64LE(40));
}

function readHead(image: string): { readonly head: Buffer; readonly size: number } {
  let descriptor: number;
  try {
    // Without O_NONBLOCK, a pipe without a writer would be waited for.
    descriptor = fs.openSync(image, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (cause) {
    if (isMissing(cause)) throw noFile(image, cause);
    const why = systemCode(cause) === "EACCES" ? "this user may not read it" : messageOf(cause);
    throw new DenrootError("file", `${image} cannot be read: ${why}`, { cause });
  }
  try {
    const status = fs.fstatSync(descriptor);
    if (!status.isFile()) {
      const what = status.isDirectory() ? "a directory" : "no regular file";
      throw new DenrootError("squashfs", `${image} is ${what}, not an image file`);
    }
    const head = Buffer.alloc(SUPERBLOCK_BYTES);
    return { head: head.subarray(0, fs.readSync(descriptor, head)), size: status.size };
  } finally {
    fs.closeSync(descriptor);
  }
}

function noFile(image: string, cause: unknown): DenrootError {
  const isUri = /(?:^|\/)[a-z][a-z-]+:\/\//.test(image);
  return new DenrootError("not_found", `No such file or directory: ${image}`, {
    cause,
    hint: isUri
      ? "This command takes an image file. denroot load makes a container of a URI"
      : "denroot import makes an image file",
  });
}

function noImage(image: string, head: Buffer, magic: string): DenrootError {
  const what = head.length === 0
    ? "it is empty"
    : magic === SWAPPED_MAGIC
    ? "it was made on a big-endian machine, for a squashfs before version 4"
    : head.subarray(0, 2).equals(GZIP)
    ? "it is compressed by gzip, and perhaps an archive"
    : "it does not begin as a squashfs image";
  return new DenrootError("squashfs", `Invalid image format: ${image}: ${what}`, {
    hint: "denroot import makes an image file, and reads archives too",
  });
}

function cutShort(image: string, size: number, bytes: number): DenrootError {
  return new DenrootError(
    "squashfs",
    `${image} is cut short: it has ${size} of ${bytes} bytes`,
    { hint: "Copy or import it again" },
  );
}

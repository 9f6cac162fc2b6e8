/** The finished images of a tier: they appear whole, never change, and are found by listing. */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { imageBytes, SUPERBLOCK_BYTES } from "../squashfs/superblock.ts";
import { namesIn } from "../system/files/names_in.ts";
import { makePart, partOf, type Tier } from "./tier.ts";
import { lacksLinks, ShareTrouble } from "./share_trouble.ts";

export interface FinishedImage {
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
}

/** `KEY.sqsh`; or `KEY.RANDOM.sqsh`, where the plain name could not be had. */
const IMAGE = /^([^.]+)(?:\.[0-9a-f]{8})?\.sqsh$/;

/** The image that has this key, in a tier. Throws the system's errors. */
export function findImage(tier: Tier, key: string): FinishedImage | undefined {
  for (const name of namesIn(partOf(tier, "images")).sort()) {
    const image = keyOf(name) === key ? imageAt(tier, name) : undefined;
    if (image !== undefined) return image;
  }
  return undefined;
}

/** The image with this file name; undefined when there is none that counts. */
export function imageAt(tier: Tier, name: string): FinishedImage | undefined {
  const file = partOf(tier, "images", name);
  const bytes = wholeSize(file, tier.owner);
  return bytes === undefined ? undefined : { key: keyOf(name)!, path: file, bytes };
}

/** The key in the name of a file of `images/`. */
export function keyOf(name: string): string | undefined {
  return IMAGE.exec(name)?.[1];
}

/**
 * Gives the finished file its name among the images, or drops it when there is such an image already.
 * A name is never taken from another file: that may be in use. Throws the system's errors.
 */
export function publishImage(tier: Tier, key: string, file: string): FinishedImage {
  fs.chmodSync(file, 0o444 & (tier.mode | 0o400));
  const images = makePart(tier, "images");
  const name = giveName(tier, images, key, file);
  const image = imageAt(tier, name);
  if (image === undefined) throw new ShareTrouble(`${path.join(images, name)} is not whole`);
  return image;
}

/** Says that the image is being used now, by the clock of the file system: by writing. */
export function markUsed(tier: Tier, key: string): void {
  if (!tier.isWritable) return;
  try {
    makePart(tier, "uses");
    fs.writeFileSync(partOf(tier, "uses", key), ".");
  } catch {
    // The image then counts as used when it was made.
  }
}

function giveName(tier: Tier, images: string, key: string, file: string): string {
  const plain = `${key}.sqsh`;
  const other = `${key}.${randomBytes(4).toString("hex")}.sqsh`;
  try {
    fs.linkSync(file, path.join(images, plain));
  } catch (error) {
    if (lacksLinks(error)) {
      fs.renameSync(file, path.join(images, other));
      return other;
    }
    if (systemCode(error) !== "EEXIST") throw error;
    // NFS may lose the answer to a link that was made, and then reports that the name exists.
    if (imageAt(tier, plain) === undefined) {
      fs.linkSync(file, path.join(images, other));
      fs.rmSync(file, { force: true });
      return other;
    }
  }
  fs.rmSync(file, { force: true });
  return plain;
}

/**
 * The size of a whole squashfs file that belongs to `owner` and that nobody else can change;
 * undefined for anything else. After a power failure a file may lack its end.
 */
export function wholeSize(file: string, owner: number): number | undefined {
  let descriptor: number;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ESTALE", "EACCES"].includes(systemCode(error))) return undefined;
    throw error;
  }
  try {
    const status = fs.fstatSync(descriptor);
    if (!status.isFile() || status.uid !== owner || (status.mode & 0o022) !== 0) return undefined;
    const block = Buffer.alloc(SUPERBLOCK_BYTES);
    if (fs.readSync(descriptor, block, 0, block.length, 0) < block.length) return undefined;
    const bytes = imageBytes(block);
    return bytes !== undefined && bytes <= status.size ? status.size : undefined;
  } finally {
    fs.closeSync(descriptor);
  }
}

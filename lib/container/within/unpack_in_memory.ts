/** An image file, unpacked into the memory that goes with its container. */

import { loadSettings } from "../../config/settings.ts";
import { DenrootError, hasCode } from "../../errors.ts";
import { readSuperblock } from "../../squashfs/superblock.ts";
import { unpackImage } from "../../squashfs/unpack_image.ts";
import { findUnsquashfs } from "../../tools/find_tools.ts";

/**
 * Unpacks into the directory, which is made. It lies in a file system that only this container's
 * mount namespace has: whatever ends the container, nothing is left to clean up. Throws code
 * `squashfs` for an image that cannot be read, `space` where the memory does not hold it.
 */
export async function unpackInMemory(image: string, directory: string): Promise<void> {
  const settings = await loadSettings();
  using unsquashfs = await findUnsquashfs(settings);
  try {
    await unpackImage(image, directory, {
      unsquashfs,
      superblock: readSuperblock(image),
      processors: settings.maxProcessors,
      signal: new AbortController().signal,
      // What it warns of concerns the disk of a container that stays.
      onWarning: () => {},
    });
  } catch (cause) {
    if (!hasCode(cause, "space")) throw cause;
    throw new DenrootError("space", `${image} does not fit into half of this machine's memory`, {
      cause,
      hint: "Make a container of it with denroot create, which unpacks onto a disk",
    });
  }
}

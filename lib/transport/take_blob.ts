/** Takes the bytes of a blob into a destination, and verifies them on the way. */

import { DenrootError, throwIfAborted } from "../errors.ts";
import { createDigestHash, parseDigest } from "../oci/digest.ts";
import type { Descriptor } from "../types/image.ts";
import type { OpenBlob } from "../types/source.ts";

/**
 * Gives all bytes to `write`, from the first on. Throws code `digest` when they are not those of the
 * descriptor: what was written must not be used then. Errors of the bytes' source come through.
 */
export async function takeBlob(
  { digest, size }: Descriptor,
  open: OpenBlob,
  signal: AbortSignal,
  write: (bytes: Uint8Array, position: number) => void | Promise<void>,
): Promise<void> {
  const hash = createDigestHash(digest);
  let position = 0;
  for await (const chunk of open(0)) {
    throwIfAborted(signal);
    // A source that does not end must not fill the disk.
    if (position + chunk.length > size) {
      throw new DenrootError("digest", `Blob ${digest} came with more than ${size} bytes`);
    }
    hash.update(chunk);
    await write(chunk, position);
    position += chunk.length;
  }
  if (position !== size) {
    throw new DenrootError("digest", `Blob ${digest} came with ${position} bytes, not ${size}`);
  }
  const actual = `${parseDigest(digest).algorithm}:${hash.digest("hex")}`;
  if (actual !== digest) throw new DenrootError("digest", `Blob ${digest} came as ${actual}`);
}

/** Takes the bytes of a blob into a destination, and verifies them on the way. */

import type { Hash } from "node:crypto";
import { DenrootError, throwIfAborted } from "../errors.ts";
import { createDigestHash, digestOfHash } from "../oci/digest.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { OpenBlob } from "../types/source.ts";

/**
 * Gives all bytes to `write`, from the first on. Throws code `digest` when they are not those of the
 * descriptor: what was written must not be used then. Errors of the bytes' source come through.
 */
export async function takeBlob(
  descriptor: Descriptor,
  open: OpenBlob,
  signal: AbortSignal,
  write: (bytes: Uint8Array, position: number) => void | Promise<void>,
): Promise<void> {
  const { digest, size } = descriptor;
  const hash = createDigestHash(digest);
  let position = 0;
  for await (const chunk of open(0)) {
    throwIfAborted(signal);
    // A source that does not end must not fill the disk.
    if (position + chunk.length > size) throw tooLong(descriptor);
    hash.update(chunk);
    await write(chunk, position);
    position += chunk.length;
  }
  if (position !== size) throw tooShort(descriptor, position);
  verifyHash(hash, digest);
}

/** Throws code `digest` unless the hash of a blob's bytes gives its digest. The hash has ended then. */
export function verifyHash(hash: Hash, digest: Digest): void {
  const actual = digestOfHash(hash, digest);
  if (actual !== digest) throw new DenrootError("digest", `Blob ${digest} came as ${actual}`);
}

export function tooShort({ digest, size }: Descriptor, actual: number): DenrootError {
  return new DenrootError("digest", `Blob ${digest} came with ${actual} bytes, not ${size}`);
}

export function tooLong({ digest, size }: Descriptor): DenrootError {
  return new DenrootError("digest", `Blob ${digest} came with more than ${size} bytes`);
}

/** Memory that does not wait for a garbage collection. */

/**
 * Gives the memory of bytes back to the system at once, where they have a buffer of their own. The
 * caller must own them: nobody can read them any more.
 */
export function freeBytes({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

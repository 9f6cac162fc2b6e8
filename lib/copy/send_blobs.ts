/** Brings the blobs of an image to a destination: those that it has stay where they are. */

import { hasCode, messageOf } from "../errors.ts";
import type { Digest } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { ImageDestination, ImageSource } from "../types/source.ts";
import { inParallel } from "./in_parallel.ts";
import { type CopyBlob, type CopyCache, openStoredBlob } from "./open_stored_blob.ts";
import { SideError, sideOf } from "./sides.ts";

/**
 * What happened to a blob. Only a dry run has the last two: the blob would be sent, or it would be asked
 * for in another repository of the registry first, and sent if it is not there.
 */
export type BlobFate = "present" | "mounted" | "sent" | "missing" | "mountable";

export interface CopiedBlob {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly fate: BlobFate;
}

export interface SendOptions {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly cache: CopyCache;
  /** Repositories of the destination's registry that may have the blobs. */
  readonly mountFrom: readonly string[];
  /** Whether the destination is only asked what it has. */
  readonly dryRun: boolean;
  /** How many blobs are on their way at the same time; each takes one connection of either side. */
  readonly connections: number;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** The largest blob begins first, so that no long transfer is left for the end. */
export async function sendBlobs(
  blobs: readonly CopyBlob[],
  options: SendOptions,
): Promise<readonly CopiedBlob[]> {
  const { connections, signal, onProgress } = options;
  onProgress({ type: "copying", blobs: blobs.map(({ descriptor }) => descriptor) });
  const indexed = blobs.map((blob, index) => ({ blob, index }));
  return await inParallel(indexed, connections, signal, async ({ blob, index }, signal) => {
    const { digest, mediaType, size } = blob.descriptor;
    const onBytes = (sent: number) => onProgress({ type: "blob", index, size, sent });
    const fate = await sendBlob(blob, { ...options, signal }, onBytes);
    onProgress({ type: "blob", index, size, sent: size, fate });
    return { digest, mediaType, size, fate };
  });
}

async function sendBlob(
  blob: CopyBlob,
  options: SendOptions,
  onBytes: (sent: number) => void,
): Promise<BlobFate> {
  const { destination, mountFrom, dryRun, signal } = options;
  if (await destination.hasBlob(blob.descriptor, signal)) return "present";
  if (dryRun) return mountFrom.length > 0 && destination.mount ? "mountable" : "missing";
  for (const repository of mountFrom) {
    if (await destination.mount?.(blob.descriptor, repository, signal)) return "mounted";
  }
  await putBlob(blob, options, onBytes);
  return "sent";
}

async function putBlob(
  blob: CopyBlob,
  options: SendOptions,
  onBytes: (sent: number) => void,
): Promise<void> {
  const { source, destination, cache, signal } = options;
  for (;;) {
    using stored = openStoredBlob(blob, { ...options, onBytes });
    try {
      await destination.putBlob(blob.descriptor, stored.open, signal);
      return await stored.commit();
    } catch (error) {
      if (stored.origin !== "cache" || !isDamage(error)) {
        return await sideOf("source", source.uri)(() => Promise.reject(error));
      }
      // The cache has it no more, so the next attempt takes it from the source.
      cache.remove(blob.descriptor.digest);
      const message = `${messageOf(error)}; fetching it from the source`;
      options.onProgress({ type: "log", level: "warn", message });
    }
  }
}

/** Whether the bytes were wrong, and not the destination. */
function isDamage(error: unknown): boolean {
  return hasCode(error, "digest") || hasCode(error, "file") && !(error instanceof SideError);
}

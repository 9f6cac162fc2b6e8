/** Makes one image file, or one directory, from an image's layers. */

import { throwIfAborted } from "../errors.ts";
import { type Attempt, PackAttempt } from "./pack_attempt.ts";
import type { PackJob } from "./pack_job.ts";

const DEFAULT_ROOT_MODE = 0o755;

/**
 * Gives the image's size in bytes; 0 for a directory. Starts again, and says why, when it turns out on
 * the way that streaming cannot give the exact result or that the root has other permissions.
 *
 * Throws UnusableBlob when a layer is at fault; code `aborted` when `signal` aborts; code
 * `squashfs`, `space`, `limit` or `exists` otherwise.
 */
export async function packLayers(job: PackJob): Promise<number> {
  let attempt: Attempt = { mode: "stream", rootMode: DEFAULT_ROOT_MODE };
  for (;;) {
    throwIfAborted(job.signal);
    await using packing = await PackAttempt.start(job, attempt);
    const outcome = await packing.run();
    if (typeof outcome === "number") return outcome;
    attempt = { mode: outcome.mode, rootMode: outcome.rootMode ?? attempt.rootMode };
    const message = `Packing starts again: ${outcome.reason}`;
    job.onProgress({ type: "log", level: "info", message });
  }
}

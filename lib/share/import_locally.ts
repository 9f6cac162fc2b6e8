/** Makes the image on this machine alone, as if there were no share. */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { importImage } from "../image/import_image.ts";
import { describeHolder, waitForLease } from "../system/files/lease.ts";
import { wholeSize } from "./finished_images.ts";
import { localError, makeLocalDirectory, stepPrefix } from "./local_directory.ts";
import type { SharedImage, ShareTask } from "./share_image.ts";
import { nameOfRequest } from "./step.ts";

/** The tasks of a step on one machine import once. Throws what an import throws. */
export async function importLocally(task: ShareTask): Promise<SharedImage> {
  const { step, settings, signal, onProgress, mark, platform } = task;
  const directory = makeLocalDirectory(settings);
  const name = step === undefined
    ? `import-${mark}.sqsh`
    : `${stepPrefix(step)}${nameOfRequest(task.uri, JSON.stringify(platform))}.sqsh`;
  const output = path.join(directory, name);
  const lease = await waitForLease(`${output}.lease`, {
    signal,
    onHeld: (holder) => {
      const message = `Waiting for ${describeHolder(holder)}, which imports the image`;
      onProgress({ type: "log", level: "info", message });
    },
  }).catch((error: unknown) => {
    throw localError(settings, error);
  });
  try {
    const found = wholeSize(output, process.geteuid!());
    if (found !== undefined) return { path: output, bytes: found, place: "local" };
    fs.rmSync(output, { force: true });
    const { uri, architecture } = task.original;
    const options = { output, architecture, settings, signal, onProgress };
    const { bytes } = await importImage(uri, options);
    return { path: output, bytes, place: "local" };
  } finally {
    lease.release();
  }
}

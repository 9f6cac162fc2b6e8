/** Reads from a finished image where it came from. */

import { parseSource, SOURCE_PATH } from "../enroot/source_file.ts";
import { runCommand } from "../system/process/run_command.ts";

/** A line with a URI is far shorter. */
const MAX_BYTES = 64 * 1024;

/**
 * The URI in the image's `/.enroot/source`. Undefined when there is none: the file is not an image,
 * or another program made it. Throws when `unsquashfs` cannot be run, and code `aborted`.
 */
export async function readImageSource(
  unsquashfs: string,
  image: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { exitCode, stdout } = await runCommand(unsquashfs, ["-cat", image, SOURCE_PATH], {
    signal,
    maxOutputBytes: MAX_BYTES,
  });
  if (exitCode !== 0) return undefined;
  return parseSource(stdout.toString("utf8"));
}

/** What a finished image says of where it came from. */

import { parseSource, SOURCE_PATH } from "../enroot/source_file.ts";
import { runCommand } from "../system/process/run_command.ts";

/** Far more than one line of a URI. */
const MAX_BYTES = 64 * 1024;

/**
 * The URI in the image's `/.enroot/source`; undefined for a file that has none: no image, or one
 * that another program made. Throws when `unsquashfs` cannot be run, code `aborted` with `signal`.
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

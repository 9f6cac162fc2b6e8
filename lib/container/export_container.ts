/** Makes an image file of a container. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { checkOutput, outputPath } from "../image/check_output.ts";
import { checkSquashOptions } from "../squashfs/check_squash_options.ts";
import { packDirectory } from "../squashfs/pack_directory.ts";
import { secondsSince } from "../text/seconds_since.ts";
import { findMksquashfs } from "../tools/find_tools.ts";
import type { OnProgress } from "../types/progress.ts";
import { findContainer } from "./container_name.ts";
import { notExported } from "./not_exported.ts";

export interface ExportOptions {
  /** The path of the image. By default `NAME.sqsh` in the current directory. */
  readonly output?: string | undefined;
  /** Whether to replace an existing output. */
  readonly force?: boolean | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportedContainer {
  /** The image's absolute path, without symbolic links. */
  readonly output: string;
  /** The size of the image. */
  readonly bytes: number;
  /** How long it took. */
  readonly seconds: number;
}

/**
 * Packs the container's files into an image, which appears whole or not at all. The image lacks what
 * belongs to this machine: what is below `/dev`, the places of mounts, `/.lock` and `/.enroot`.
 *
 * Throws code `usage`, `not_found`, `exists`, `file` when a file cannot be read, `squashfs`, `space`
 * and `aborted`.
 */
export async function exportContainer(
  name: string,
  options: ExportOptions = {},
): Promise<ExportedContainer> {
  const started = performance.now();
  const settings = options.settings ?? await loadSettings();
  const place = findContainer(settings, name);
  const output = outputPath(options.output ?? `${name}.sqsh`);
  const force = options.force ?? settings.forceOverride;
  await checkOutput(output, { force, inputs: [place.path] });
  checkSquashOptions(settings.squashOptions);
  using mksquashfs = await findMksquashfs(settings);
  const bytes = await packDirectory(place.path, output, {
    mksquashfs,
    squashOptions: settings.squashOptions,
    processors: settings.maxProcessors,
    without: await notExported(place.path),
    force,
    signal: options.signal ?? new AbortController().signal,
    onWarning: (message) => options.onProgress?.({ type: "log", level: "warn", message }),
  });
  return { output, bytes, seconds: secondsSince(started) };
}

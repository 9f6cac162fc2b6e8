/** Imports a container image as an enroot image: denroot's main operation. */

import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { schemeOf } from "../reference/schemes.ts";
import { checkSquashOptions } from "../squashfs/check_squash_options.ts";
import { type Limits, memoryLimit, processorsWithin, readLimits } from "../system/host/limits.ts";
import { systemFiles } from "../system/host/system_files.ts";
import { secondsSince } from "../text/seconds_since.ts";
import { findMksquashfs, findUnsquashfs, type Mksquashfs } from "../tools/find_tools.ts";
import { checkOutput, outputPath } from "./check_output.ts";
import { checkProcesses } from "./check_processes.ts";
import { imageContext, type ImageOptions } from "./image_options.ts";
import { imageTime } from "./image_time.ts";
import { type PackedImage, packImage, type PackingPlace } from "./pack_image.ts";

export interface ImportOptions extends ImageOptions {
  /**
   * The path of the image; symbolic links are followed. By default it is in the current directory,
   * named after the reference.
   */
  readonly output?: string | undefined;
  /** Whether to replace an existing output. */
  readonly force?: boolean | undefined;
  /** Whether to read the finished image back and compare it with what was packed. */
  readonly verify?: boolean | undefined;
}

export interface ImportResult extends PackedImage {
  /** The image's absolute path, without symbolic links. */
  readonly output: string;
  /** How long the import took. */
  readonly seconds: number;
}

/**
 * Imports the image that `uri` names as an enroot image. The output appears whole, or not at all.
 *
 * Throws {@link DenrootError}, with code `aborted` when `signal` aborts.
 */
export async function importImage(
  uri: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const started = performance.now();
  const reference = parseReference(uri);
  const context = await imageContext(options);
  const { settings } = context;
  const output = outputPath(options.output ?? defaultOutputName(reference));
  const force = options.force ?? settings.forceOverride;
  await checkOutput(output, { force, inputs: schemeOf(reference).localFiles?.(reference) ?? [] });
  using tools = await importTools(settings, options.verify);
  const place = imagePlace(output, { tools, force, settings });
  const packed = await packImage(reference, place, context);
  return { output, ...packed, seconds: secondsSince(started) };
}

/** The programs that an import runs, and the limits that it obeys. */
export interface ImportTools extends Disposable {
  readonly mksquashfs: Mksquashfs;
  /** The path of unsquashfs, where the image is to be verified. */
  readonly verifyWith: string | undefined;
  readonly limits: Limits;
}

/** Throws code `squashfs` for a program that is missing, `limit` or `usage` for what cannot work. */
export async function importTools(settings: Settings, verify = false): Promise<ImportTools> {
  const limits = readLimits(systemFiles);
  checkProcesses();
  checkSquashOptions(settings.squashOptions);
  using tools = new DisposableStack();
  const mksquashfs = tools.use(await findMksquashfs(settings));
  const unsquashfs = verify ? tools.use(await findUnsquashfs(settings)) : undefined;
  const held = tools.move();
  return {
    mksquashfs,
    verifyWith: unsquashfs?.path,
    limits,
    [Symbol.dispose]: () => held.dispose(),
  };
}

interface ImagePlaceOptions {
  readonly tools: ImportTools;
  readonly force: boolean;
  readonly settings: Settings;
}

/** What `packImage` needs to make an image file. `output` is a path of {@link outputPath}. */
export function imagePlace(
  output: string,
  { tools: { mksquashfs, verifyWith, limits }, force, settings }: ImagePlaceOptions,
): PackingPlace {
  return {
    directory: path.dirname(output),
    elsewhere: "choose another path for the output",
    processors: processorsWithin(limits, settings.maxProcessors),
    output: (created) => ({
      type: "image",
      target: output,
      squash: {
        mksquashfs,
        squashOptions: settings.squashOptions,
        savesMemory: memoryLimit(limits) !== undefined,
        time: settings.sourceDateEpoch ?? imageTime(created, mksquashfs),
        force,
      },
      verifyWith,
    }),
  };
}

/** Makes a container of a container image straight from its layers, without an image file between. */

import { imageContext, type ImageOptions } from "../image/image_options.ts";
import { checkProcesses } from "../image/check_processes.ts";
import { packImage } from "../image/pack_image.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { secondsSince } from "../text/seconds_since.ts";
import type { Digest } from "../types/image.ts";
import { containerPlace, loadedName } from "./container_name.ts";
import { type CreatedContainer, prepareNewRoot } from "./create_container.ts";
import { NewRoot } from "./new_root.ts";

export interface LoadOptions extends ImageOptions {
  /** By default the name that an imported image file would have, without its ending. */
  readonly name?: string | undefined;
  /** Whether to replace a container that has the name. It is removed when the new one is whole. */
  readonly force?: boolean | undefined;
}

export interface LoadedContainer extends CreatedContainer {
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The canonical reference, which the container also has in `/.enroot/source`. */
  readonly uri: string;
}

/**
 * Fetches the image that `uri` names, and writes the files of its merged layers into ENROOT_DATA_PATH
 * while they arrive. The files are those that importing and creating would give, but for set-user-id
 * bits, which root's `create` keeps. The container appears whole, or not at all.
 *
 * Throws as `importImage` and `createContainer` do.
 */
export async function loadContainer(
  uri: string,
  options: LoadOptions = {},
): Promise<LoadedContainer> {
  const started = performance.now();
  const reference = parseReference(uri);
  const context = await imageContext(options);
  const { settings, onProgress } = context;
  const place = containerPlace(settings, options.name ?? loadedName(reference));
  const force = options.force ?? settings.forceOverride;
  const warn = (message: string) => onProgress({ type: "log", level: "warn", message });
  await prepareNewRoot(place, settings, { force, warn });
  checkProcesses();

  await using root = new NewRoot(place);
  const { digest, uri: canonical } = await packImage(reference, {
    directory: settings.dataPath,
    elsewhere: "set ENROOT_DATA_PATH to another directory",
    processors: settings.maxProcessors,
    output: () => ({ type: "tree", path: root.path }),
  }, context);
  await root.publish({ replace: force });
  return { ...place, digest, uri: canonical, seconds: secondsSince(started) };
}

/** From a URI, an image file or a definition to a running container. */

import type { ContainerProcess } from "../container/child/container_process.ts";
import { startContainer, type StartContainerOptions } from "../container/child/start_container.ts";
import { scriptSettings } from "../container/start/script_settings.ts";
import type { KeepOptions } from "../image/keep_image.ts";
import { findRunnable, withDefined } from "./find_runnable.ts";

export type RunOptions = KeepOptions & StartContainerOptions;

/**
 * Brings the image up to date that `what` names, as `findRunnable` does, and starts a container of its
 * file as a child of this process. Throws as `findRunnable` and `startContainer` do.
 */
export async function runImage(what: string, options: RunOptions = {}): Promise<ContainerProcess> {
  const given = options.settings ?? await scriptSettings(options.configScript);
  const { image, start } = await findRunnable(what, { ...options, settings: given });
  const script = options.configScript ?? start.configScript;
  const settings = options.settings ?? await scriptSettings(script);
  const { stdin, stdout, stderr, signal } = options;
  const asked = withDefined(start, { ...options, settings });
  return await startContainer(image, { ...asked, settings, stdin, stdout, stderr, signal });
}

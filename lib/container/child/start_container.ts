/** Starts a container as a child of this process. */

import type { Settings } from "../../config/settings.ts";
import { throwIfAborted } from "../../errors.ts";
import { scriptSettings } from "../start/script_settings.ts";
import { type StartOptions, startRequest } from "../start/start_request.ts";
import {
  type ContainerProcess,
  containerProcess,
  type ProcessOptions,
} from "./container_process.ts";

export interface StartContainerOptions
  extends ProcessOptions, Omit<StartOptions, "settings" | "inherited" | "dryRun"> {
  /** By default they are read from the environment, `enroot.conf` and the configuration script. */
  readonly settings?: Settings | undefined;
}

/**
 * Starts the container `name`, or one of an image file, and gives its first process. What fails while
 * the container is prepared is told on its standard error, and it ends with 1.
 *
 * Throws code `not_found` for a name that no container has, `settings`, `file` and `aborted`.
 */
export async function startContainer(
  name: string,
  options: StartContainerOptions = {},
): Promise<ContainerProcess> {
  if (options.signal !== undefined) throwIfAborted(options.signal);
  const settings = options.settings ?? await scriptSettings(options.configScript);
  const request = startRequest(name, { ...options, dryRun: undefined, settings });
  const { cachePath, environment, runtimePath, tempPath } = settings;
  return await containerProcess(
    { type: "start", request, settings: { cachePath, environment, runtimePath, tempPath } },
    options,
  );
}

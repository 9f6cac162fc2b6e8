/** Runs a command in a running container, as a child of this process. */

import { loadSettings, type Settings } from "../../config/settings.ts";
import { throwIfAborted } from "../../errors.ts";
import {
  type ContainerProcess,
  containerProcess,
  type ProcessOptions,
} from "./container_process.ts";

export interface ExecInContainerOptions extends ProcessOptions {
  /** `NAME=VALUE`, or `NAME` for the host's value. */
  readonly environment?: readonly string[] | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
}

/**
 * Runs the command beside the process `pid` of a container. A process that is in no container is told on
 * the child's standard error, and it ends with 1. Throws code `settings`, `file` and `aborted`.
 */
export async function execInContainer(
  pid: number,
  command: readonly [string, ...string[]],
  options: ExecInContainerOptions = {},
): Promise<ContainerProcess> {
  if (options.signal !== undefined) throwIfAborted(options.signal);
  const { cachePath, environment } = options.settings ?? await loadSettings();
  const settings = { cachePath, environment };
  return await containerProcess(
    { type: "exec", pid, options: { command, environment: options.environment ?? [], settings } },
    options,
  );
}

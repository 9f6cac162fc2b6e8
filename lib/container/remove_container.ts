/** Removes a container with all of its files. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { type ContainerPlace, findContainer } from "./container_name.ts";
import { removeAside, removeLeftovers, requireOwn, setAside } from "./new_root.ts";
import { requireIdle, waitUntilIdle } from "./running_containers.ts";

export interface RemoveOptions {
  /**
   * Whether processes that are about to end get a few seconds for it. A running container is not
   * removed all the same.
   */
  readonly force?: boolean | undefined;
  /**
   * Whether a running container is removed too, as enroot does it: its processes lose their files.
   * Slurm's pyxis needs that. It calls at a job's end, when Slurm is about to end what is left.
   */
  readonly evenRunning?: boolean | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** As long as Slurm waits between two signals at most, and short enough for a person. */
const GOING_MS = 3000;

/**
 * Removes the container `name` and gives where it was. Its name is free at once, and a removal that is
 * interrupted leaves nothing under it; the next command that makes or removes a container goes on.
 *
 * Throws code `usage` for a name that no container can have, `not_found`, `busy` while the container
 * runs, and `file` with the first file that cannot be removed.
 */
export async function removeContainer(
  name: string,
  options: RemoveOptions = {},
): Promise<ContainerPlace> {
  const settings = options.settings ?? await loadSettings();
  const signal = options.signal ?? new AbortController().signal;
  const place = findContainer(settings, name);
  requireOwn(place);
  if (!options.evenRunning) {
    if (options.force) await waitUntilIdle(place, { timeoutMs: GOING_MS, signal });
    else requireIdle(place);
  }
  const aside = setAside(place);
  await removeAside(aside);
  await removeLeftovers(settings);
  return place;
}

/** Removes a container with all of its files. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { type ContainerPlace, findContainer } from "./container_name.ts";
import { removeAside, removeLeftovers, setAside } from "./new_root.ts";
import { requireIdle, waitUntilIdle } from "./running_containers.ts";

export interface RemoveOptions {
  /**
   * Whether processes that are about to end get a few seconds for it. A running container is never
   * removed, but for one that Slurm's pyxis cleans up: it calls at a job's end, and Slurm ends the
   * processes that are left.
   */
  readonly force?: boolean | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** As long as Slurm waits between two signals at most, and short enough for a person. */
const GOING_MS = 3000;
/** pyxis sets it for the commands that it calls, and for nothing else. */
const PYXIS = "PYXIS_VERSION";

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
  if (!options.force) requireIdle(place);
  else if (settings.environment[PYXIS] === undefined) {
    await waitUntilIdle(place, { timeoutMs: GOING_MS, signal });
  }
  const aside = setAside(place);
  await removeAside(aside);
  await removeLeftovers(settings);
  return place;
}

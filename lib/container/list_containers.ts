/** The containers of this user, and what runs in them. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { containerNames } from "./container_name.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";
import { runningContainers } from "./running_containers.ts";

export interface ListedContainer {
  readonly name: string;
  /** Its root file system: an absolute path. */
  readonly path: string;
  /** The first process of each start that still runs, in the order of their ids. */
  readonly processes: readonly ProcessFacts[];
}

export interface ListOptions {
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
}

/** The containers in ENROOT_DATA_PATH, sorted by their names. Throws code `file`. */
export async function listContainers(options: ListOptions = {}): Promise<ListedContainer[]> {
  const settings = options.settings ?? await loadSettings();
  const places = containerNames(settings)
    .map((name) => ({ name, path: path.join(settings.dataPath, name) }))
    .filter(({ path }) => fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory());
  const running = runningContainers(places);
  return places.map((place) => ({
    ...place,
    processes: running.get(place.name)!.flatMap((pid) => processFacts(pid) ?? []),
  }));
}

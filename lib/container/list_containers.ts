/** The containers of this user, and what runs in them. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { containerNames } from "./container_name.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";
import { runningHere } from "./running_containers.ts";

export interface ListedContainer {
  /** For a container that was started from an image file, the file's path: no name has a slash. */
  readonly name: string;
  /** Its root file system, or the image file: an absolute path. */
  readonly path: string;
  /** The first process of each start that still runs, in the order of their ids. */
  readonly processes: readonly ProcessFacts[];
}

export interface ListOptions {
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
}

/**
 * The containers in ENROOT_DATA_PATH, sorted by their names, and behind them those that run from image
 * files. Throws code `file`.
 */
export async function listContainers(options: ListOptions = {}): Promise<ListedContainer[]> {
  const settings = options.settings ?? await loadSettings();
  const places = containerNames(settings)
    .map((name) => ({ name, path: path.join(settings.dataPath, name) }))
    .filter(({ path }) => fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory());
  const { containers, images } = runningHere(places);
  const facts = (pids: readonly number[]) => pids.flatMap((pid) => processFacts(pid) ?? []);
  return [
    ...places.map((place) => ({ ...place, processes: facts(containers.get(place.name)!) })),
    ...[...images].sort(([one], [other]) => one < other ? -1 : 1)
      .map(([path, pids]) => ({ name: path, path, processes: facts(pids) })),
  ];
}

/** Makes a container of an image file. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { DenrootError } from "../errors.ts";
import { unpackImage } from "../squashfs/unpack_image.ts";
import { readSuperblock, type Superblock } from "../squashfs/superblock.ts";
import { freeSpace } from "../system/host/free_space.ts";
import { mountOf } from "../system/host/mount_table.ts";
import { absolutePath, realPath } from "../system/files/real_names.ts";
import { systemFiles } from "../system/host/system_files.ts";
import { secondsSince } from "../text/seconds_since.ts";
import { findUnsquashfs } from "../tools/find_tools.ts";
import type { OnProgress } from "../types/progress.ts";
import { type ContainerPlace, containerPlace, createdName, placeStatus } from "./container_name.ts";
import {
  containerExists,
  makeDataDirectory,
  NewRoot,
  removeLeftovers,
  requireOwn,
} from "./new_root.ts";
import { requireIdle } from "./running_containers.ts";
import { makeTreeUsable } from "./usable_tree.ts";

export interface CreateOptions {
  /** By default the image's name without its ending. */
  readonly name?: string | undefined;
  /** Whether to replace a container that has the name. It is removed when the new one is whole. */
  readonly force?: boolean | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A container that was made. */
export interface CreatedContainer extends ContainerPlace {
  /** How long it took. */
  readonly seconds: number;
}

/**
 * Unpacks the image file into ENROOT_DATA_PATH. The container appears whole, or not at all.
 *
 * Throws code `usage` for a name that no container can have, `exists`, `busy` when the container to be
 * replaced runs, `not_found` and `squashfs` when the image cannot be used, `space`, `file` and
 * `aborted`.
 */
export async function createContainer(
  image: string,
  options: CreateOptions = {},
): Promise<CreatedContainer> {
  const started = performance.now();
  const settings = options.settings ?? await loadSettings();
  const signal = options.signal ?? new AbortController().signal;
  const warn = (message: string) => options.onProgress?.({ type: "log", level: "warn", message });
  const place = containerPlace(settings, options.name ?? createdName(image));
  const file = absolutePath(image);
  const superblock = readSuperblock(file);
  const force = options.force ?? settings.forceOverride;
  await prepareNewRoot(place, settings, { force, warn });
  checkSpace(settings, superblock);

  using unsquashfs = await findUnsquashfs(settings);
  await using root = new NewRoot(place);
  await unpackImage(file, root.path, {
    unsquashfs,
    superblock,
    processors: settings.maxProcessors,
    signal,
    onWarning: warn,
  });
  await makeTreeUsable(root.path);
  await root.publish({ replace: force });
  return { ...place, seconds: secondsSince(started) };
}

interface Preparation {
  readonly force: boolean;
  readonly warn: (message: string) => void;
}

/** Finds out before any work whether the container can be made. Throws `exists`, `busy` and `file`. */
export async function prepareNewRoot(
  place: ContainerPlace,
  settings: Settings,
  { force, warn }: Preparation,
): Promise<void> {
  const exists = placeStatus(place) !== undefined;
  if (exists && !force) throw containerExists(place);
  if (exists) {
    requireOwn(place);
    requireIdle(place);
  }
  await makeDataDirectory(settings);
  await removeLeftovers(settings);
  const mounts = systemFiles.read("/proc/self/mountinfo") ?? "";
  const warning = noExecWarning(realPath(settings.dataPath), mounts);
  if (warning !== undefined) warn(warning);
}

/** `mounts` is the text of `/proc/self/mountinfo`. */
export function noExecWarning(dataPath: string, mounts: string): string | undefined {
  const mount = mountOf(dataPath, mounts);
  if (!mount?.noExec) return undefined;
  return `${mount.path} is mounted noexec: no program can be started from a container in ` +
    `${dataPath}. Set ENROOT_DATA_PATH to another directory`;
}

/** Only a lower bound is known: what is unpacked has at least the size of the image. */
function checkSpace({ dataPath }: Settings, { bytes, inodes }: Superblock): void {
  const free = freeSpace(dataPath);
  const hint = "Free some space there, or set ENROOT_DATA_PATH to a directory elsewhere";
  const missing = bytes - free.bytes;
  if (missing > 0) {
    const megabytes = Math.ceil(missing / 1e6);
    throw new DenrootError(
      "space",
      `There is too little space in ${dataPath}: at least ${megabytes} MB more are needed`,
      { hint },
    );
  }
  if (free.files < inodes) {
    throw new DenrootError(
      "space",
      `There is no room for ${inodes} files in ${dataPath}, but for ${free.files}`,
      { hint },
    );
  }
}

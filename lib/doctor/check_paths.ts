/** The directories that denroot uses: whether it can write to them, and what may go wrong there. */

import fs from "node:fs";
import path from "node:path";
import { isSet, type Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { cacheDirectories } from "../store/blob_cache.ts";
import { type Mount, mountOf, networkFileSystem } from "../system/host/mount_table.ts";
import { FETCHING, type Finding, Findings, type FindingStatus } from "./finding.ts";
import type { FileSystem, Machine } from "./machine.ts";

/** Many images have a gigabyte or more. */
const LITTLE_BYTES = 2_000_000_000;
const FEW_FILES = 1000;
const MANY_FILES = "Containers of many files are slow there: start image files instead";

interface Place {
  readonly name: string;
  readonly path: string;
  readonly affects: readonly string[];
  /** The status of a directory that this user cannot write to. */
  readonly unwritable: FindingStatus;
  /** Directories in it that are to be written to as well, if they are there. */
  readonly inside: readonly string[];
  readonly holdsImages: boolean;
  /** Programs are started from it. */
  readonly executes: boolean;
  /** A remedy: how to use another directory. */
  readonly elsewhere: string;
}

/** `directory` is the current one; undefined when somebody removed it. */
export function checkPaths(
  settings: Settings,
  machine: Machine,
  directory: string | undefined,
): Finding[] {
  const found = new Findings("Paths");
  const mounts = machine.read("/proc/self/mountinfo") ?? "";
  for (const place of placesOf(settings, directory)) checkPlace(found, place, mounts, machine);
  return found.list;
}

function placesOf(settings: Settings, directory: string | undefined): Place[] {
  const place = (name: string, path: string, affects: readonly string[], rest: Partial<Place>) => ({
    name,
    path,
    affects,
    unwritable: "warning" as const,
    inside: [],
    holdsImages: false,
    executes: false,
    elsewhere: `Set ${name} to another directory`,
    ...rest,
  });
  return [
    place("ENROOT_CACHE_PATH", settings.cachePath, ["import"], {
      // An import that must not write to it keeps its layers beside the output.
      inside: cacheDirectories(settings.cachePath),
      holdsImages: true,
    }),
    ...(directory === undefined ? [] : [place("Current directory", directory, ["import"], {
      holdsImages: true,
      elsewhere: "Name an output in another directory with --output",
    })]),
    place("ENROOT_CONFIG_PATH", settings.configPath, FETCHING, { unwritable: "ok" }),
    place("ENROOT_TEMP_PATH", settings.tempPath, ["share", "start"], {}),
    place("ENROOT_DATA_PATH", settings.dataPath, ["create", "start"], {
      holdsImages: true,
      executes: true,
    }),
    place("ENROOT_RUNTIME_PATH", settings.runtimePath, ["start"], {
      ...(!isSet(settings, "ENROOT_RUNTIME_PATH") && {
        unwritable: "note" as const,
        elsewhere: "denroot makes a private directory in ENROOT_TEMP_PATH instead",
      }),
    }),
  ];
}

interface Trouble {
  readonly status: FindingStatus;
  readonly what: string;
  readonly remedy: string;
}

function checkPlace(found: Findings, place: Place, mounts: string, machine: Machine): void {
  const { name, affects, elsewhere, unwritable } = place;
  const report = (status: FindingStatus, what: string, remedy?: string) =>
    found.add(status, name, affects, `${place.path}: ${what}`, remedy);
  const existing = nearestExisting(place.path, machine);
  let space: FileSystem;
  let mount: Mount | undefined;
  try {
    space = machine.space(existing);
    mount = mountOf(realPath(existing), mounts);
  } catch (error) {
    return report(unwritable, `it cannot be used: ${messageOf(error)}`, elsewhere);
  }
  const unwritables = [existing, ...place.inside.filter((path) => machine.exists(path))]
    .filter((path) => !machine.isWritable(path));
  const troubles = [
    ...unwritables.slice(0, 1).flatMap((path) => unwritableTrouble(place, path, mount)),
    ...spaceTroubles(place, space),
    ...noExecTrouble(place, mount),
  ];
  for (const { status, what, remedy } of troubles) report(status, what, remedy);
  if (troubles.length > 0) return;
  const network = networkFileSystem(space.type);
  const shown = description(space, mount, network);
  if (network === undefined) return report("ok", shown);
  report("note", shown, place.executes ? `${MANY_FILES}. Or ${lower(elsewhere)}` : undefined);
}

function unwritableTrouble(place: Place, directory: string, mount: Mount | undefined): Trouble[] {
  if (place.unwritable === "ok") return [];
  const isInside = place.inside.includes(directory);
  const what = mount?.readOnly
    ? `${mount.path === place.path ? "it" : mount.path} is mounted read-only`
    : fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === false
    ? `${directory === place.path ? "it" : directory} is not a directory`
    : directory === place.path
    ? "this user cannot write to it"
    : isInside
    ? `this user cannot write to ${path.relative(place.path, directory)} in it`
    : `it does not exist, and this user cannot write to ${directory}`;
  const remedy = isInside
    ? `Ask its owner to give ${directory} the mode of ${place.path}. Or ${lower(place.elsewhere)}`
    : place.elsewhere;
  return [{ status: place.unwritable, what, remedy }];
}

function spaceTroubles(place: Place, space: FileSystem): Trouble[] {
  if (!place.holdsImages) return [];
  const troubles: Trouble[] = [];
  const warn = (what: string, action: string) => {
    troubles.push({ status: "warning", what, remedy: `${action}. Or ${lower(place.elsewhere)}` });
  };
  if (space.freeBytes < LITTLE_BYTES) {
    warn(`only ${roundSize(space.freeBytes)} are free`, "Free some space");
  }
  if (space.files > 0 && space.freeFiles < FEW_FILES) {
    warn(`there is room for only ${space.freeFiles} more files`, "Remove some files");
  }
  return troubles;
}

function noExecTrouble(place: Place, mount: Mount | undefined): Trouble[] {
  if (!place.executes || !mount?.noExec) return [];
  const what = `${mount.path} is mounted noexec, so no program can be started from it`;
  return [{ status: "warning", what, remedy: place.elsewhere }];
}

/** `120 GB free, ext4`. */
function description(
  space: FileSystem,
  mount: Mount | undefined,
  network: string | undefined,
): string {
  const type = network === undefined
    ? mount?.type ?? "unknown"
    : `${network}, a network file system`;
  return [`${roundSize(space.freeBytes)} free`, type, ...(mount?.noExec ? ["noexec"] : [])]
    .join(", ");
}

/** The directory itself, or the one in which a command will make it. */
function nearestExisting(directory: string, machine: Machine): string {
  let current = directory;
  while (!machine.exists(current) && current !== path.dirname(current)) {
    current = path.dirname(current);
  }
  return current;
}

function realPath(directory: string): string {
  try {
    return fs.realpathSync(directory);
  } catch {
    return directory;
  }
}

function roundSize(bytes: number): string {
  if (bytes < 1_000_000_000) return `${Math.round(bytes / 1_000_000)} MB`;
  const gigabytes = bytes / 1_000_000_000;
  return `${gigabytes < 10 ? gigabytes.toFixed(1) : Math.round(gigabytes)} GB`;
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

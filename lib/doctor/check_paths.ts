/** The directories that the settings name: can they be written, do they have room, may they execute. */

import fs from "node:fs";
import path from "node:path";
import { isSet, type Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { FETCHING, type Finding, Findings, type FindingStatus } from "./finding.ts";
import type { FileSystem, Machine } from "../system/host/machine.ts";
import { type Mount, mountOf, networkFileSystem } from "../system/host/mount_table.ts";

/** Images of a gigabyte and more are common. */
const LITTLE_BYTES = 2_000_000_000;
const FEW_FILES = 1000;

interface Place {
  readonly name: string;
  readonly path: string;
  readonly affects: readonly string[];
  /** How bad it is when nothing can be written there. */
  readonly unwritable: FindingStatus;
  readonly holdsImages: boolean;
  readonly executes: boolean;
  /** How to have it elsewhere. */
  readonly elsewhere: string;
}

/** `directory` is the current one; undefined where it was removed. */
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
    holdsImages: false,
    executes: false,
    elsewhere: `set ${name} to another directory`,
    ...rest,
  });
  return [
    place("ENROOT_CACHE_PATH", settings.cachePath, ["import"], {
      // Without the default one, an import keeps its layers beside the output.
      unwritable: isSet(settings, "ENROOT_CACHE_PATH") ? "error" : "warning",
      holdsImages: true,
    }),
    ...(directory === undefined ? [] : [place("Current directory", directory, ["import"], {
      holdsImages: true,
      elsewhere: "name an output elsewhere with --output",
    })]),
    place("ENROOT_CONFIG_PATH", settings.configPath, FETCHING, { unwritable: "ok" }),
    place("ENROOT_TEMP_PATH", settings.tempPath, ["create"], {}),
    place("ENROOT_DATA_PATH", settings.dataPath, ["create", "start"], {
      holdsImages: true,
      executes: true,
    }),
    place("ENROOT_RUNTIME_PATH", settings.runtimePath, ["start"], {}),
  ];
}

function checkPlace(found: Findings, place: Place, mounts: string, machine: Machine): void {
  const { name, affects, elsewhere } = place;
  const existing = nearestExisting(place.path, machine);
  const report = (status: FindingStatus, what: string, remedy?: string) =>
    found.add(status, name, affects, `${place.path}: ${what}`, remedy);
  let space: FileSystem;
  let mount: Mount | undefined;
  try {
    space = machine.space(existing);
    mount = mountOf(realPath(existing), mounts);
  } catch (error) {
    return report(place.unwritable, `cannot be used: ${messageOf(error)}`, `Or ${elsewhere}`);
  }
  const before = found.list.length;
  if (place.unwritable !== "ok" && !machine.isWritable(existing)) {
    const reason = mount?.readOnly ? `${mount.path} is mounted read-only` : "it cannot be written";
    const verb = existing === place.path ? reason : `${reason} (to be made in ${existing})`;
    report(place.unwritable, verb, capital(elsewhere));
  }
  if (place.holdsImages && space.freeBytes < LITTLE_BYTES) {
    report(
      "warning",
      `only ${roundSize(space.freeBytes)} free`,
      `Free some space, or ${elsewhere}`,
    );
  }
  // File systems without a table of files say 0.
  if (place.holdsImages && space.files > 0 && space.freeFiles < FEW_FILES) {
    report("warning", `room for ${space.freeFiles} more files`, `Remove some, or ${elsewhere}`);
  }
  if (place.executes && mount?.noExec) {
    report(
      "warning",
      `${mount.path} is mounted noexec: no program starts there`,
      capital(elsewhere),
    );
  }
  if (found.list.length > before) return;
  const network = networkFileSystem(space.type);
  const kind = network ?? mount?.type ?? "unknown";
  const extra = mount?.noExec ? ", noexec" : "";
  report(
    network === undefined ? "ok" : "note",
    `${roundSize(space.freeBytes)} free, ${kind}${
      network ? " (a network file system)" : ""
    }${extra}`,
  );
}

/** What is not there yet is made when it is needed. */
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

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

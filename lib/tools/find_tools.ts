/** Finds the squashfs tools: what a setting names, what denroot carries, or what the host has. */

import type { Buffer } from "node:buffer";
import { accessSync, constants } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { carriedFile } from "../system/carried_file.ts";
import { runsFromSource } from "../system/project_url.ts";
import { runCommand } from "../system/process/run_command.ts";
import { type RunPlace, runPlaces, type RunPlaceSettings } from "./run_places.ts";

/** A program that runs. Once it is disposed of it may run no more. */
export interface SquashfsTool {
  readonly path: string;
  /** Where it lies, for people: `memory`, or the path. */
  readonly location: string;
  /** What messages call it. */
  readonly label: string;
  /** As it prints it: `4.6.1`. */
  readonly version: string;
  readonly origin: "setting" | "carried" | "host";
  [Symbol.dispose](): void;
}

export interface Mksquashfs extends SquashfsTool {
  /** Sets the root's time by an option; before 4.6 only SOURCE_DATE_EPOCH does. */
  readonly setsRootTime: boolean;
}

export type ToolSettings = RunPlaceSettings & Pick<Settings, "mksquashfs" | "unsquashfs">;

/** What is looked for, and where, if not in the usual places: for tests. */
export interface FindOptions {
  /** The content of what denroot carries. */
  readonly carried?: (name: ToolName) => Buffer | undefined;
  readonly places?: readonly RunPlace[];
}

type ToolName = "mksquashfs" | "unsquashfs";

const SETTINGS = { mksquashfs: "DENROOT_MKSQUASHFS", unsquashfs: "DENROOT_UNSQUASHFS" } as const;
/** Where Debian and Red Hat put them, though a user's PATH may not say so. */
const USUAL_DIRECTORIES = ["/usr/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/bin"];
const VERSION_TIMEOUT_MS = 10_000;
/** The first mksquashfs that reads a tar stream, and unsquashfs that prints a pseudo file. */
const OLDEST = 4005;
const SETS_ROOT_TIME = 4006;

/** Throws code `squashfs` when there is none that runs, or only one from before 4.5. */
export async function findMksquashfs(
  settings: ToolSettings,
  options: FindOptions = {},
): Promise<Mksquashfs> {
  const tool = await findTool("mksquashfs", settings, options);
  return { ...tool, setsRootTime: comparable(tool.version) >= SETS_ROOT_TIME };
}

/**
 * On the host, one that lies beside the mksquashfs that is named wins. Throws code `squashfs` as
 * {@link findMksquashfs} does.
 */
export async function findUnsquashfs(
  settings: ToolSettings,
  options: FindOptions = {},
): Promise<SquashfsTool> {
  return await findTool("unsquashfs", settings, options);
}

async function findTool(
  name: ToolName,
  settings: ToolSettings,
  { carried = carriedTool, places = runPlaces(settings) }: FindOptions,
): Promise<SquashfsTool> {
  const named = settings[name];
  if (named !== undefined) return await hostTool(name, named, "setting");
  const content = carried(name);
  if (content !== undefined) return await unpackTool(name, content, places);
  const beside = settings.mksquashfs === undefined ? [] : [path.dirname(settings.mksquashfs)];
  const found = locate(name, [...beside, ...(settings.environment.PATH ?? "").split(":")]);
  if (found === undefined) {
    throw new DenrootError("squashfs", `There is no ${name} on this machine`, {
      hint: remedy(name),
    });
  }
  return await hostTool(name, found, "host");
}

/** Built for one machine, whatever it runs: a 32-bit or another processor's has none. */
function carriedTool(name: ToolName): Buffer | undefined {
  return carriedFile(`build/squashfs/${os.arch()}/${name}`);
}

async function hostTool(
  name: ToolName,
  path: string,
  origin: "setting" | "host",
): Promise<SquashfsTool> {
  let version: string;
  try {
    version = await versionOf(name, path);
  } catch (cause) {
    const why = messageOf(cause);
    throw new DenrootError("squashfs", `${path} cannot be run: ${why}`, {
      cause,
      hint: origin === "setting" ? `Correct ${SETTINGS[name]}, or unset it` : remedy(name),
    });
  }
  if (comparable(version) < OLDEST) {
    const lack = name === "mksquashfs" ? "reads no tar stream" : "cannot print an image's files";
    throw new DenrootError("squashfs", `${path} is version ${version}, which ${lack}`, {
      hint: remedy(name),
    });
  }
  return { path, location: path, label: path, version, origin, [Symbol.dispose]: () => {} };
}

/** Whether a place lets programs run is proven by running this one there. */
async function unpackTool(
  name: ToolName,
  content: Buffer,
  places: readonly RunPlace[],
): Promise<SquashfsTool> {
  const failures: string[] = [];
  for (const place of places) {
    try {
      const placed = await place.put(name, content);
      try {
        const version = await versionOf(name, placed.path);
        return { ...placed, label: `denroot's ${name} ${version}`, version, origin: "carried" };
      } catch (error) {
        placed[Symbol.dispose]();
        throw error;
      }
    } catch (error) {
      failures.push(`${place.name}: ${reason(error)}`);
    }
  }
  throw new DenrootError(
    "squashfs",
    `denroot's ${name} can be run nowhere on this machine: ${failures.join("; ")}`,
    {
      hint: `Let ENROOT_CACHE_PATH be a directory of your own that may hold programs, or name a ` +
        `${name} of version 4.5 or later in ${SETTINGS[name]}`,
    },
  );
}

function reason(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } };
  if (cause?.code === "EACCES") return "programs may not be run there (noexec?)";
  return messageOf(error);
}

function locate(name: string, directories: readonly string[]): string | undefined {
  return [...directories.filter((part) => part !== ""), ...USUAL_DIRECTORIES]
    .map((directory) => `${directory}/${name}`).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whatever its exit status: some versions of unsquashfs fail when they have told it. */
async function versionOf(name: ToolName, path: string): Promise<string> {
  const { stdout } = await runCommand(path, ["-version"], { timeoutMs: VERSION_TIMEOUT_MS });
  const match = /(\w+) version (\d+\.\d+[\w.-]*)/.exec(stdout.toString("latin1"));
  if (match?.[1] === name) return match[2]!;
  throw new Error(`it does not tell a version: is it ${name}?`);
}

/** 4006 for 4.6.1. */
function comparable(version: string): number {
  const [major, minor] = version.split(".").map((part) => parseInt(part, 10));
  return major! * 1000 + minor!;
}

function remedy(name: ToolName): string {
  const built = runsFromSource() ? ", or build denroot's own with scripts/build_squashfs" : "";
  const named = `name a newer ${name} in ${SETTINGS[name]}`;
  return `Install squashfs-tools 4.5 or later, or ${named}${built}`;
}

/** Finds the squashfs tools: those that a setting names, denroot's own, or those of the host. */

import type { Buffer } from "node:buffer";
import os from "node:os";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf, systemCode } from "../errors.ts";
import { carriedFile } from "../system/carried_file.ts";
import { isExecutable } from "../system/host/find_program.ts";
import { runsFromSource } from "../system/project_url.ts";
import { runCommand } from "../system/process/run_command.ts";
import { type RunPlace, runPlaces, type RunPlaceSettings } from "./run_places.ts";

/** A program that runs. It may be gone after its disposal. */
export interface SquashfsTool {
  readonly path: string;
  /** Where the program lies, for people: `memory`, or the path. */
  readonly location: string;
  /** What messages call the program. */
  readonly label: string;
  /** As the program prints it: `4.6.1`. */
  readonly version: string;
  readonly origin: "setting" | "carried" | "host";
  [Symbol.dispose](): void;
}

export interface Mksquashfs extends SquashfsTool {
  /** Whether an option sets the root's time; before 4.6 only SOURCE_DATE_EPOCH does. */
  readonly setsRootTime: boolean;
  /**
   * Whether its time grows in proportion to the entries of a directory. In one that denroot has not
   * changed, it grows with the square of their number.
   */
  readonly takesWideDirectories: boolean;
}

export type ToolSettings = RunPlaceSettings & Pick<Settings, "mksquashfs" | "unsquashfs">;

/** For tests: other programs, and other places to run them. */
export interface FindOptions {
  /** The content of a program that denroot carries. */
  readonly carried?: (name: ToolName) => Buffer | undefined;
  readonly places?: readonly RunPlace[];
}

export type ToolName = "mksquashfs" | "unsquashfs";

const SETTINGS = { mksquashfs: "DENROOT_MKSQUASHFS", unsquashfs: "DENROOT_UNSQUASHFS" } as const;
/** Debian and Red Hat put the tools here, and a user's PATH may lack some of these. */
const USUAL_DIRECTORIES = ["/usr/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/bin"];
const VERSION_TIMEOUT_MS = 10_000;
/** From 4.5 on mksquashfs reads a tar stream, and unsquashfs prints a pseudo file. */
const OLDEST = 4005;
const SETS_ROOT_TIME = 4006;
/** The mark that scripts/squashfs/wide-directories.patch puts into the version. */
const WIDE_DIRECTORIES = "+wide-directories";

/** Throws code `squashfs` when there is none that runs, or only one that is older than 4.5. */
export async function findMksquashfs(
  settings: ToolSettings,
  options: FindOptions = {},
): Promise<Mksquashfs> {
  const tool = await findTool("mksquashfs", settings, options);
  return {
    ...tool,
    setsRootTime: comparable(tool.version) >= SETS_ROOT_TIME,
    takesWideDirectories: tool.version.includes(WIDE_DIRECTORIES),
  };
}

/**
 * Among the host's programs, the one beside the mksquashfs that a setting names comes first. Throws
 * code `squashfs` as {@link findMksquashfs} does.
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

/** Undefined when denroot has no tools for this machine's processor. */
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
    const lack = name === "mksquashfs"
      ? "cannot read a tar stream"
      : "cannot print an image's files";
    throw new DenrootError("squashfs", `${path} is version ${version}, which ${lack}`, {
      hint: remedy(name),
    });
  }
  return { path, location: path, label: path, version, origin, [Symbol.dispose]: () => {} };
}

/** Runs the program in each place, as only that proves that programs can run there. */
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
    `denroot's ${name} cannot run anywhere on this machine: ${failures.join("; ")}`,
    {
      hint: `Let ENROOT_CACHE_PATH be a directory of your own that may hold programs, or name a ` +
        `${name} of version 4.5 or later in ${SETTINGS[name]}`,
    },
  );
}

function reason(error: unknown): string {
  if (error instanceof Error && systemCode(error.cause) === "EACCES") {
    return "programs cannot run there (is it mounted with noexec?)";
  }
  return messageOf(error);
}

function locate(name: string, directories: readonly string[]): string | undefined {
  return [...directories.filter((part) => part !== ""), ...USUAL_DIRECTORIES]
    .map((directory) => `${directory}/${name}`).find(isExecutable);
}

/** Ignores the exit status: some versions of unsquashfs print their version and fail. */
async function versionOf(name: ToolName, path: string): Promise<string> {
  const { stdout } = await runCommand(path, ["-version"], { timeoutMs: VERSION_TIMEOUT_MS });
  const match = /(\w+) version (\d+\.\d+[\w.+-]*)/.exec(stdout.toString("latin1"));
  if (match?.[1] === name) return match[2]!;
  throw new Error(`it does not print a version of ${name}`);
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

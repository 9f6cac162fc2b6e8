/** The files of sites and users that tell what all containers have, found and read. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DenrootError, isMissing, messageOf } from "../../errors.ts";
import { isExecutable } from "../../system/host/find_program.ts";
import type { TextFile } from "../../types/container.ts";

/** A file's text under the file's name, also of one that is built in. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** A file of a directory such as `mounts.d`. */
export interface ConfigurationFile extends NamedText, TextFile {}

/** A script of `hooks.d`. */
export interface HookFile {
  readonly name: string;
  readonly path: string;
  readonly isExecutable: boolean;
  readonly isEmpty: boolean;
}

/** One directory with configuration: the system's, or the user's. */
export interface ConfigurationDirectory {
  readonly environment: readonly ConfigurationFile[];
  readonly mounts: readonly ConfigurationFile[];
  readonly hooks: readonly HookFile[];
}

/** The system's comes first. */
export interface Configuration {
  readonly system: ConfigurationDirectory;
  readonly user: ConfigurationDirectory;
}

const FILE_LIMIT_BYTES = 1 << 20;
const FILES_LIMIT = 1000;

/**
 * Reads `environ.d/*.env`, `mounts.d/*.fstab` and `hooks.d/*.sh` below both directories, by name.
 * A directory that is missing has no files. Throws code `settings` with the path.
 */
export function readConfiguration(
  { sysconfPath, configPath }: { readonly sysconfPath: string; readonly configPath: string },
): Configuration {
  return { system: readBelow(sysconfPath), user: readBelow(configPath) };
}

function readBelow(directory: string): ConfigurationDirectory {
  return {
    environment: textsOf(join(directory, "environ.d"), ".env"),
    mounts: textsOf(join(directory, "mounts.d"), ".fstab"),
    hooks: filesIn(join(directory, "hooks.d"), ".sh").map(({ path, name, size }) => ({
      path,
      name,
      isExecutable: isExecutable(path),
      isEmpty: size === 0,
    })),
  };
}

function textsOf(directory: string, ending: string): readonly ConfigurationFile[] {
  return filesIn(directory, ending)
    .map(({ path, name, size }) => ({ path, name, text: readText(path, size) }));
}

interface FoundFile {
  readonly path: string;
  readonly name: string;
  readonly size: number;
}

/** Regular files by name, without hidden ones. Links to files count. */
function filesIn(directory: string, ending: string): readonly FoundFile[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith(ending) && !name.startsWith("."));
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(directory, error);
  }
  if (names.length > FILES_LIMIT) {
    throw new DenrootError(
      "settings",
      `${directory} holds ${names.length} files "*${ending}", more than ${FILES_LIMIT}`,
    );
  }
  return names.sort().flatMap((name) => {
    const path = join(directory, name);
    const status = statSync(path, { throwIfNoEntry: false });
    return status?.isFile() ? [{ path, name, size: status.size }] : [];
  });
}

function readText(path: string, size: number): string {
  try {
    if (size > FILE_LIMIT_BYTES) throw new Error(`it has ${size} bytes, more than 1 MiB`);
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): DenrootError {
  return new DenrootError("settings", `${path} cannot be read: ${messageOf(error)}`, {
    cause: error,
    hint: "Make it readable for the user who starts the container, or remove it",
  });
}

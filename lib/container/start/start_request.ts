/** From options and settings to the request that both stages share. */

import { readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import type { Settings } from "../../config/settings.ts";
import { DenrootError, isMissing, messageOf } from "../../errors.ts";
import { readSuperblock } from "../../squashfs/superblock.ts";
import { quotePath } from "../../text/quote_text.ts";
import type {
  ContainerNamespaces,
  DefinedMounts,
  RootPlace,
  StartRequest,
  TextFile,
} from "../../types/container.ts";
import { type InheritedState, inheritedState } from "./inherited_state.ts";

/** What leads out of the directory of containers, or to itself. */
const NO_NAME = /^\.{0,2}$|\//;

/** What a start can be told. Options that are absent follow the settings. */
export interface StartOptions {
  readonly command?: readonly string[];
  /** `NAME=VALUE`, or `NAME` for the host's value. */
  readonly environment?: readonly string[];
  /** Files with such words, a line for each. */
  readonly environmentFiles?: readonly string[];
  /** Lines of a mount table, with `:` between the fields. */
  readonly mounts?: readonly string[];
  /** Lines that a definition has; they come before the others. */
  readonly definedMounts?: DefinedMounts | undefined;
  readonly configScript?: string | undefined;
  readonly rc?: string | undefined;
  /** The directory in the container in which the command starts. */
  readonly workdir?: string | undefined;
  readonly writable?: boolean | undefined;
  readonly remapRoot?: boolean | undefined;
  readonly pid?: boolean | undefined;
  readonly net?: boolean | undefined;
  readonly ipc?: boolean | undefined;
  readonly uts?: boolean | undefined;
  readonly unpack?: boolean | undefined;
  /** Prints the plan in this form instead. */
  readonly dryRun?: "text" | "json" | undefined;
  /** By default it is looked at now, before this process opens files of its own. */
  readonly inherited?: InheritedState | undefined;
  readonly settings: Settings;
}

/**
 * Throws code `not_found` for a name that no container has, and for an image file what
 * {@link readSuperblock} throws.
 */
export function startRequest(name: string, options: StartOptions): StartRequest {
  const { settings } = options;
  return {
    name,
    root: rootPlace(name, options),
    writable: options.writable ?? settings.rootfsWritable,
    namespaces: namespacesOf(options),
    ...(options.dryRun !== undefined && { dryRun: options.dryRun }),
    settings: {
      configPath: settings.configPath,
      sysconfPath: settings.sysconfPath,
      dataPath: settings.dataPath,
      runtimePath: settings.runtimePath,
      tempPath: settings.tempPath,
      loginShell: settings.loginShell,
      mountHome: settings.mountHome,
      restrictDev: settings.restrictDev,
      imageMounts: settings.imageMounts,
      lockTimeoutMs: settings.lockTimeoutMs,
    },
    environment: options.environment ?? [],
    environmentFiles: (options.environmentFiles ?? []).map(readEnvironmentFile),
    mounts: options.mounts ?? [],
    ...(options.definedMounts !== undefined && { definedMounts: options.definedMounts }),
    ...(options.configScript !== undefined && { configScript: options.configScript }),
    ...(options.rc !== undefined && { rc: options.rc }),
    ...(options.workdir !== undefined && { workdir: options.workdir }),
    command: options.command ?? [],
    ...(options.inherited ?? inheritedState()),
  };
}

/** The namespaces of a container that this user starts with these options. */
export function namespacesOf({ settings, ...options }: StartOptions): ContainerNamespaces {
  const [uid, gid] = [process.geteuid!(), process.getegid!()];
  const remap = options.remapRoot ?? settings.remapRoot;
  return {
    ...(!(settings.allowSuperuser && uid === 0) && {
      user: {
        insideUid: remap ? 0 : uid,
        outsideUid: uid,
        insideGid: remap ? 0 : gid,
        outsideGid: gid,
      },
    }),
    pid: options.pid ?? settings.unsharePid,
    net: options.net ?? settings.unshareNet,
    ipc: options.ipc ?? settings.unshareIpc,
    uts: options.uts ?? settings.unshareUts,
  };
}

/** A name with a slash can only be a file; a file of the current directory comes first, as in enroot. */
function rootPlace(name: string, { settings, unpack }: StartOptions): RootPlace {
  if (isFile(name)) {
    const path = realpathSync(name);
    readSuperblock(path);
    return { type: "image", path, unpack: unpack ?? false };
  }
  const isPath = name.includes("/");
  const path = isPath ? resolve(name) : `${settings.dataPath}/${name}`;
  if (!NO_NAME.test(name) && isDirectory(path)) {
    return { type: "directory", path: realpathSync(path) };
  }
  throw new DenrootError("not_found", `No such file or directory: ${path}`, {
    hint: isPath
      ? "A name with a slash is the path of an image file"
      : "denroot list shows the containers; denroot create makes one from an image",
  });
}

function readEnvironmentFile(path: string): TextFile {
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (cause) {
    const name = `The file ${quotePath(path)} of --env-file`;
    throw isMissing(cause)
      ? new DenrootError("not_found", `${name} does not exist`, { cause, hint: "Check its path" })
      : new DenrootError("file", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function isFile(path: string): boolean {
  return statusOf(path)?.isFile() ?? false;
}

function isDirectory(path: string): boolean {
  return statusOf(path)?.isDirectory() ?? false;
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new DenrootError("file", `${path} cannot be looked at: ${messageOf(cause)}`, {
      cause,
      hint: "Set ENROOT_DATA_PATH to a directory of your own",
    });
  }
}

/** The last steps of a start: the container's root becomes `/`, rights go, and the command runs. */

import { closeSync, openSync, readSync } from "node:fs";
import process from "node:process";
import { DenrootError } from "../../errors.ts";
import { inheritOnlyStandard, setInherited } from "../../system/linux/descriptors.ts";
import { execute, limitFileSize, restoreInherited } from "../../system/linux/execute.ts";
import { changeDirectory, switchRoot } from "../../system/linux/mounts.ts";
import { unshareCgroups } from "../../system/linux/namespaces.ts";
import { dropCapabilities, forbidNewPrivileges } from "../../system/linux/privileges.ts";
import { hasErrno, type SystemError } from "../../system/linux/system_error.ts";
import type { PlannedCommand, StartRequest } from "../../types/container.ts";

const ELF = "\x7fELF";

export interface FinalState {
  readonly request: StartRequest;
  /** Where the root is mounted. */
  readonly root: string;
  readonly command: PlannedCommand;
  /** `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** Descriptors that the command needs, besides those that the caller handed over. */
  readonly descriptors: readonly number[];
}

/** Only returns by throwing {@link DenrootError} or {@link SystemError}. */
export function becomeCommand(state: FinalState): never {
  const { request, root, command, environment } = state;
  inheritOnlyStandard();
  for (const descriptor of [...request.descriptors, ...state.descriptors]) {
    setInherited(descriptor, true);
  }
  switchRoot(root);
  unshareCgroups();
  forbidNewPrivileges();
  const { user } = request.namespaces;
  // root of a user namespace keeps its rights: they reach no further than the namespace.
  if ((user?.insideUid ?? process.geteuid!()) !== 0) dropCapabilities();
  enter(command);
  if (command.umask !== undefined) process.umask(command.umask);
  if (command.fileSizeLimitBytes !== undefined) limitFileSize(command.fileSizeLimitBytes);
  restoreInherited(request.fileLimit, request.ignoredSignals);
  const { path, argv } = command;
  try {
    execute(path, argv, environment);
  } catch (error) {
    if (!hasErrno(error, "ENOEXEC") || isProgram(path)) throw cannotRun(path, error);
    // As execvp(3): what is no program is a script for the shell.
    execute("/bin/sh", ["sh", path, ...argv.slice(1)], environment);
  }
}

function enter({ directory, directoryIsOptional }: PlannedCommand): void {
  try {
    changeDirectory(directory);
  } catch (cause) {
    if (directoryIsOptional) return;
    throw new DenrootError("file", `The container's ${directory} cannot be entered`, {
      cause,
      hint: "Choose another directory with --workdir, or make this one in the container",
    });
  }
}

function isProgram(path: string): boolean {
  const start = new Uint8Array(ELF.length);
  const file = openSync(path, "r");
  readSync(file, start);
  closeSync(file);
  return String.fromCharCode(...start) === ELF;
}

function cannotRun(path: string, cause: unknown): unknown {
  switch ((cause as SystemError).code) {
    case "ENOENT":
    case "ENOTDIR":
      return new DenrootError("not_found", `The container has no ${path} that runs`, {
        cause,
        hint: "A program of another system may lack its loader: the line after #!, or ld-linux",
      });
    case "EACCES":
      return new DenrootError("file", `The container's ${path} may not be run`, {
        cause,
        hint: "It is not executable, or the containers' disk is mounted noexec",
      });
    case "ENOEXEC":
      return new DenrootError("platform", `This machine cannot run the container's ${path}`, {
        cause,
        hint: "The image is for another architecture",
      });
    default:
      return cause;
  }
}

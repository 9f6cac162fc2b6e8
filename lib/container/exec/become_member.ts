/** Runs a command in a container that runs already. */

import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { DenrootError, messageOf, systemCode } from "../../errors.ts";
import { openDescriptor, openPath, setInherited } from "../../system/linux/descriptors.ts";
import { environmentOf, valueOf, withVariables } from "../../system/linux/environment_bytes.ts";
import { restoreInherited } from "../../system/linux/execute.ts";
import { fakeOwnership } from "../../system/linux/fake_ownership.ts";
import { becomeUser, forbidNewPrivileges } from "../../system/linux/privileges.ts";
import { hasErrno } from "../../system/linux/system_error.ts";
import type { RunPlaceSettings } from "../../tools/run_places.ts";
import { becomeEnter } from "../enter/become_enter.ts";
import { LOCK_NAME } from "../lock_name.ts";
import { inheritedState } from "../start/inherited_state.ts";
import { childInside, onlyWaits } from "../waiting_process.ts";

export interface ExecOptions {
  readonly command: readonly [string, ...string[]];
  /** `NAME=VALUE`, or `NAME` for the host's value. */
  readonly environment: readonly string[];
  readonly settings: RunPlaceSettings;
}

/** In the order in which they are joined: the first one gives the right to join the others. */
const NAMESPACES = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"] as const;
type Namespace = (typeof NAMESPACES)[number];

const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Becomes a process of the container that `pid` belongs to, with its environment and directory. With
 * a PID namespace the process is a child of this one. Nothing of denroot runs inside the container:
 * `enter` is the last program that the container cannot influence. Throws code `not_found` for a
 * process that is gone or in no container.
 */
export async function becomeMember(pid: string, options: ExecOptions): Promise<never> {
  const { fileLimit, ignoredSignals, descriptors } = inheritedState();
  // The directory of /proc belongs to one process for ever: a PID that is used again is another one.
  const member = commandOf(pid, `/proc/self/fd/${openMember(pid)}`);
  const joined = NAMESPACES.filter((name) => isForeign(member, name));
  if (!joined.includes("mnt") || !hasLock(member)) throw inNoContainer(pid);
  const environment = memberEnvironment(member, options);
  const steps = joined.flatMap((name) => {
    const step = `join=${keep(openDescriptor(namespaceFile(member, name), 0))}`;
    return name === "pid" ? [step, "fork"] : [step];
  });
  const directory = keep(openPath(`${member}/cwd`));
  const path = valueOf(environment, "PATH") ?? USUAL_PATH;
  restoreInherited(fileLimit, ignoredSignals);
  for (const descriptor of descriptors) setInherited(descriptor, true);
  if (joined.includes("user")) becomeOwner(member);
  forbidNewPrivileges();
  if (joined.includes("user")) fakeOwnership();
  return await becomeEnter(
    [
      `say=[ERROR] Process ${pid}'s namespaces cannot be joined`,
      // Until all are joined, `enter` still has the host's root: the container's must not see that.
      "hide",
      ...steps,
      `chdir=${directory}`,
      `say=[ERROR] The container cannot run ${options.command[0]}`,
      `search=${path}`,
      ...options.command,
    ],
    environment,
    options.settings,
  );
}

function openMember(pid: string): number {
  // Not all that a number can be is a PID: "self" and "1/task/2" are directories too.
  if (!/^[1-9][0-9]{0,9}$/.test(pid)) throw noProcess(pid);
  try {
    return openPath(`/proc/${pid}`);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) throw noProcess(pid);
    throw error;
  }
}

/**
 * The process that waits outside a PID namespace stands for the one that runs inside: it has itself
 * neither the container's environment nor its directory.
 */
function commandOf(pid: string, member: string): string {
  const child = onlyWaits(member) ? childInside(pid) : undefined;
  return child === undefined ? member : `/proc/self/fd/${openMember(child)}`;
}

/** A process whose child has not begun yet belongs to the namespace all the same. */
function namespaceFile(member: string, name: Namespace): string {
  return `${member}/ns/${name === "pid" ? "pid_for_children" : name}`;
}

/** False for a kind of namespace that this kernel does not have. */
function isForeign(member: string, name: Namespace): boolean {
  let own: string;
  try {
    own = readlinkSync(namespaceFile("/proc/self", name));
  } catch {
    return false;
  }
  try {
    return readlinkSync(namespaceFile(member, name)) !== own;
  } catch (cause) {
    // It ended meanwhile, or it waits for its parent to notice that it has ended.
    if (systemCode(cause) === "ENOENT") throw noProcess(pidOf(member));
    throw cannotLookInto(member, cause);
  }
}

/**
 * The host's root joins as the container's user. With its own id it would be at the mercy of that
 * container's root, and could do with the host's /proc what only the host's root may.
 */
function becomeOwner(member: string): void {
  const status = readFileSync(`${member}/status`, "latin1");
  const [uid, gid] = [/^Uid:\t\d+\t(\d+)/m, /^Gid:\t\d+\t(\d+)/m]
    .map((line) => Number(line.exec(status)![1]));
  if (uid !== process.geteuid!()) becomeUser(uid!, gid!);
}

/** Each container has it: denroot and enroot find containers by it. */
function hasLock(member: string): boolean {
  return lstatSync(`${member}/root/${LOCK_NAME}`, { throwIfNoEntry: false }) !== undefined;
}

/** The member's variables byte for byte, and those that the options set. */
function memberEnvironment(member: string, { environment, settings }: ExecOptions): Uint8Array[] {
  const added = environment.map((word) => {
    const name = word.split("=", 1)[0]!;
    return word.includes("=") ? word : `${name}=${settings.environment[name] ?? ""}`;
  });
  return withVariables(environmentOf(member), added);
}

function keep(descriptor: number): number {
  setInherited(descriptor, true);
  return descriptor;
}

function noProcess(pid: string): DenrootError {
  return new DenrootError("not_found", `Process not found: ${pid}`, {
    hint: "denroot list -f shows the processes of containers",
  });
}

function inNoContainer(pid: string): DenrootError {
  return new DenrootError("not_found", `Process ${pid} is in no container`, {
    hint: "denroot list -f shows the processes of containers",
  });
}

function pidOf(member: string): string {
  return readlinkSync(member).split("/").at(-1)!;
}

function cannotLookInto(member: string, cause: unknown): DenrootError {
  return new DenrootError(
    "file",
    `Process ${pidOf(member)} cannot be joined: ${
      systemCode(cause) === "EACCES" ? "permission denied" : messageOf(cause)
    }`,
    {
      cause,
      hint: "Only the user who started a container can join it",
    },
  );
}

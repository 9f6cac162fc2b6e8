/** The second stage of a start: inside the new namespaces, until this process is the container. */

import { readFileSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { environment } from "../../system/host/environment.ts";
import { closeDescriptor, inheritOnlyStandard } from "../../system/linux/descriptors.ts";
import { fakeOwnership } from "../../system/linux/fake_ownership.ts";
import { detach, MS, setPropagation } from "../../system/linux/mounts.ts";
import { raiseLoopback } from "../../system/linux/namespaces.ts";
import { hasErrno } from "../../system/linux/system_error.ts";
import { outerPid } from "../../system/process/outer_pid.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import type { ContainerPlan, PlannedVariable, StartRequest } from "../../types/container.ts";
import { enterError, explained } from "../enter/explain_refusal.ts";
import { HookSession } from "../hooks/hook_session.ts";
import { makeMount } from "../mounts/make_mount.ts";
import { makePlan } from "../plan/make_plan.ts";
import { readInputs } from "../plan/read_inputs.ts";
import { describePlan } from "../plan/describe_plan.ts";
import { becomeCommand } from "./become_command.ts";
import { commandScript, type FinalCommand, finalCommand } from "./final_command.ts";
import { makeRoot, type MountedRoot } from "./make_root.ts";

/** How the second stage speaks to the user. */
export interface WithinOutput {
  /** Prints a result to standard output. */
  result(text: string): void;
  log(level: "info" | "warn", message: string): void;
}

/**
 * `words` are the descriptor of the request, or `trial`, and, where `enter` failed, its step and the error's
 * number. Resolves to an exit code only when no command is to run; throws {@link DenrootError}.
 */
export async function runWithin(words: readonly string[], output: WithinOutput): Promise<number> {
  const [descriptor = "", step, errno] = words;
  if (descriptor === "trial") {
    const { tryMounts } = await import("../trial/try_mounts.ts");
    output.result(JSON.stringify(tryMounts(step, Number(errno))));
    return 0;
  }
  const request = readRequest(descriptor);
  if (step !== undefined) throw enterError(step, Number(errno));
  try {
    return await start(request, output);
  } catch (error) {
    throw explained(error);
  }
}

async function start(request: StartRequest, output: WithinOutput): Promise<number> {
  inheritOnlyStandard();
  const { namespaces } = request;
  if (namespaces.net) raiseLoopback();
  if (namespaces.user === undefined) keepMountsHere();
  else detachOwnFile();
  // A plan alone needs no write access: what it mounts goes with this process.
  const writable = request.writable && request.dryRun === undefined;
  using root = await makeRoot(request.root, { ...request, writable });
  const host = environment();
  const plan = makePlan(await readInputs(request, root.files, { host, pid: outerPid() }));
  // Before the hooks: they would have worked for nothing where it cannot be read.
  const script = commandScript(plan);
  if (request.dryRun !== undefined) {
    const state = { root: root.files, variables: plan.environment, script };
    output.result(describePlan(plan, finalCommand(request, state).command));
    return 0;
  }
  for (const warning of plan.warnings) output.log("warn", warning);
  if (namespaces.user !== undefined) fakeOwnership();
  const variables = await prepare(plan, root, output);
  return finish(request, root, finalCommand(request, { root: root.files, variables, script }), {
    variables,
    output,
  });
}

/** Without a user namespace mounts would reach the host. */
function keepMountsHere(): void {
  try {
    setPropagation("/", MS.SLAVE | MS.REC);
  } catch (cause) {
    if (!hasErrno(cause, "EINVAL")) throw cause;
    const message = "This is a chroot whose / is no mount point: mounts would reach the host";
    throw new DenrootError("unsupported", message, {
      cause,
      hint: "Make its directory a mount point before the chroot: mount --rbind DIR DIR",
    });
  }
}

/**
 * The mount through which this program was opened read-only: it serves on, but must not get into the
 * container with a directory of the host.
 */
function detachOwnFile(): void {
  try {
    detach(ownCommand().path);
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "ENOENT", "EACCES")) throw error;
  }
}

/** Becomes the command, unless the container lets nobody in. */
function finish(
  request: StartRequest,
  root: MountedRoot,
  { command, descriptors }: FinalCommand,
  { variables, output }: {
    readonly variables: readonly PlannedVariable[];
    readonly output: WithinOutput;
  },
): number {
  if (command.message !== undefined) output.result(command.message);
  if (command.refusesLogins) return 0;
  root.finish();
  const environment = [...variables, ...command.environment];
  return becomeCommand({
    request,
    root: root.path,
    command,
    environment: environment.map(({ name, value }) => `${name}=${value}`),
    descriptors,
  });
}

/** Makes the mounts and runs the hooks. Gives the environment that they leave. */
async function prepare(
  plan: ContainerPlan,
  root: MountedRoot,
  output: WithinOutput,
): Promise<readonly PlannedVariable[]> {
  const { request: { namespaces, settings, command }, mounts } = plan;
  const context = {
    root: root.files,
    warn: (message: string) => output.log("warn", message),
  };
  for (const mount of mounts.filter(({ pass }) => pass < 0)) makeMount(mount, context);
  const session = new HookSession({
    environment: environment(),
    namespaces,
    settings,
    root: root.files,
    pid: outerPid(),
    command,
    variables: plan.environment,
    mount: (mount) => makeMount(mount, context),
    log: output.log,
  });
  for (const hook of plan.hooks) await session.run(hook);
  for (const mount of [...session.mounts, ...mounts.filter(({ pass }) => pass >= 0)]) {
    makeMount(mount, context);
  }
  return session.variables;
}

function readRequest(descriptor: string): StartRequest {
  try {
    const text = readFileSync(`/proc/self/fd/${Number(descriptor)}`, "utf8");
    closeDescriptor(Number(descriptor));
    return JSON.parse(text);
  } catch (cause) {
    throw new DenrootError("usage", `"within" is denroot's own command: ${messageOf(cause)}`, {
      cause,
      hint: "See denroot start --help",
    });
  }
}

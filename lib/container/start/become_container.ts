/** The first stage of a start: on the host, until `enter` takes this process over. */

import { Buffer } from "node:buffer";
import { mkdirSync, openSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { memoryDescriptor, setInherited } from "../../system/linux/descriptors.ts";
import { execute, inheritedEnvironment } from "../../system/linux/execute.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import type { StartRequest } from "../../types/container.ts";
import { enterProgram } from "../enter_program.ts";
import { enterSteps } from "./enter_steps.ts";

/**
 * Becomes the container, with this PID. Throws {@link DenrootError} when it cannot begin; what fails
 * later is printed by the process itself.
 */
export function becomeContainer(request: StartRequest): never {
  makeRuntimeDirectory(request.settings.runtimePath);
  const own = ownCommand();
  const self = openSync(own.path, "r");
  const plan = memoryDescriptor("denroot-start", Buffer.from(JSON.stringify(request)));
  for (const descriptor of [self, plan]) setInherited(descriptor, true);
  const second = [...own.argv, "within", String(plan)];
  const enter = memoryDescriptor("denroot-enter", enterProgram());
  execute(`/proc/self/fd/${enter}`, [
    "denroot",
    `else=${self}`,
    ...second,
    ":",
    ...enterSteps(request.namespaces),
    `run=${self}`,
    ...second,
  ], inheritedEnvironment());
}

function makeRuntimeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DenrootError("file", `The directory ${path} cannot be made: ${messageOf(cause)}`, {
      cause,
      hint: "Set ENROOT_RUNTIME_PATH to a directory that you may make",
    });
  }
}

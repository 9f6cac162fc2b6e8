/** The first stage of a start: on the host, until `enter` takes this process over. */

import { Buffer } from "node:buffer";
import { mkdirSync, openSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { memoryDescriptor, setInherited } from "../../system/linux/descriptors.ts";
import { inheritedEnvironment } from "../../system/linux/execute.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import type { RunPlaceSettings } from "../../tools/run_places.ts";
import type { StartRequest } from "../../types/container.ts";
import { becomeEnter } from "../enter/become_enter.ts";
import { enterSteps } from "../enter/enter_steps.ts";

/**
 * Becomes the container, with this PID. Throws {@link DenrootError} when it cannot begin; what fails
 * later is printed by the process itself.
 */
export async function becomeContainer(
  request: StartRequest,
  settings: RunPlaceSettings,
): Promise<never> {
  makeRuntimeDirectory(request.settings.runtimePath);
  const own = ownCommand();
  const self = openSync(own.path, "r");
  const plan = memoryDescriptor("denroot-start", Buffer.from(JSON.stringify(request)));
  for (const descriptor of [self, plan, ...request.descriptors]) setInherited(descriptor, true);
  const second = [...own.argv, "within", String(plan)];
  const words = [
    `else=${self}`,
    ...second,
    ":",
    ...enterSteps(request.namespaces),
    `run=${self}`,
    ...second,
  ];
  return await becomeEnter(words, inheritedEnvironment(), settings);
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

/** The first stage of a start: on the host, until `enter` takes this process over. */

import { Buffer } from "node:buffer";
import { openSync, readlinkSync } from "node:fs";
import type { Settings } from "../../config/settings.ts";
import { environment } from "../../system/host/environment.ts";
import { memoryDescriptor, setInherited } from "../../system/linux/descriptors.ts";
import { environmentOf, withVariables } from "../../system/linux/environment_bytes.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import { shortRunVariables } from "../../system/process/prepare_start.ts";
import type { StartRequest } from "../../types/container.ts";
import { becomeEnter } from "../enter/become_enter.ts";
import { enterSteps } from "../enter/enter_steps.ts";
import { runtimeDirectory } from "./runtime_directory.ts";

/** The settings that becoming a container needs, beside those in the request. */
export type BecomeSettings = Pick<
  Settings,
  "cachePath" | "environment" | "runtimePath" | "tempPath"
>;

/**
 * Becomes the container, with this PID. Throws {@link DenrootError} when it cannot begin; what fails
 * later is printed by the process itself.
 */
export async function becomeContainer(
  request: StartRequest,
  settings: BecomeSettings,
): Promise<never> {
  const runtimePath = runtimeDirectory(settings);
  const whole = { ...request, settings: { ...request.settings, runtimePath } };
  const own = ownCommand();
  const self = openSync(own.path, "r");
  const plan = memoryDescriptor("denroot-start", Buffer.from(JSON.stringify(whole)));
  for (const descriptor of [self, plan, ...request.descriptors]) setInherited(descriptor, true);
  const second = [...own.argv, "within", String(plan)];
  const words = [
    `else=${self}`,
    ...second,
    ":",
    ...enterSteps(request.namespaces, {
      descriptor: self,
      // That of a file that was replaced leads nowhere.
      path: readlinkSync(own.path),
    }),
    `run=${self}`,
    ...second,
  ];
  return await becomeEnter(words, configuredEnvironment(settings), settings);
}

/**
 * The environment with what configuration files add: hooks and mount tables get `NVIDIA_*` and the
 * like from `enroot.conf`, too. The second stage alone gets the options of its runtime.
 */
function configuredEnvironment(settings: Pick<Settings, "environment">): readonly Uint8Array[] {
  const own = environment();
  const added = Object.entries({ ...shortRunVariables(), ...settings.environment }).filter((
    [name, value],
  ) => value !== undefined && value !== own[name]);
  return withVariables(
    environmentOf("/proc/self"),
    added.map(([name, value]) => `${name}=${value}`),
  );
}

/** Reads all that a container's plan is made from, on the host and in the mounted root. */

import { environment } from "../../system/host/environment.ts";
import type { RootedFiles, StartRequest } from "../../types/container.ts";
import { BUILT_IN_HOOKS } from "../hooks/built_in_hooks.ts";
import { readConfiguration } from "../plan/configuration.ts";
import type { PlanInputs } from "../plan/plan_inputs.ts";

const FILE_LIMIT_BYTES = 16 << 20;

/** Throws code `settings` or `file` for what cannot be read. */
export function planInputs(request: StartRequest, root: RootedFiles): PlanInputs {
  return {
    request,
    rootPath: root.path,
    host: environment(),
    image: { fstab: textOf(root, "/etc/fstab"), environment: textOf(root, "/etc/environment") },
    configuration: readConfiguration(request.settings),
    builtInHooks: BUILT_IN_HOOKS,
  };
}

function textOf(root: RootedFiles, path: string): string | undefined {
  const content = root.read(path, FILE_LIMIT_BYTES);
  return content && new TextDecoder().decode(content);
}

/** Gathers what a container's plan is made from: files of the host and the image, and a script. */

import type { RootedFiles, StartRequest } from "../../types/container.ts";
import { containerFiles } from "../command/container_files.ts";
import { BUILT_IN_HOOKS } from "../hooks/built_in_hooks.ts";
import { hookEnvironment } from "../hooks/hook_environment.ts";
import { readScript } from "../script/read_script.ts";
import { readConfiguration } from "./configuration.ts";
import type { PlanInputs } from "./plan_inputs.ts";

/**
 * The root file system is mounted by now, and nothing in it. `host` is the environment of the process
 * that starts the container, and `pid` the process itself. Throws codes `settings`, `limit` and
 * `not_found`.
 */
export async function readInputs(
  request: StartRequest,
  root: RootedFiles,
  { host, pid }: Pick<PlanInputs, "host"> & { readonly pid: number },
): Promise<PlanInputs> {
  const { settings, namespaces, configScript, command } = request;
  const files = containerFiles(root);
  const environment = () => hookEnvironment({ environment: host, namespaces, settings, root, pid });
  return {
    request,
    rootPath: root.path,
    host,
    image: { fstab: files.text("/etc/fstab"), environment: files.text("/etc/environment") },
    configuration: readConfiguration(settings),
    ...(configScript !== undefined && {
      script: await readScript(configScript, command, {
        environment: environment(),
        runtimePath: settings.runtimePath,
      }),
    }),
    builtInHooks: BUILT_IN_HOOKS,
  };
}

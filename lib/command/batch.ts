/** `batch`: starts the container that a configuration script names. */

import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import { type CommandContext, newCommand } from "./common.ts";

export function batchCommand(_context: CommandContext): Command {
  return newCommand("batch", "Start the container that a configuration script names.")
    .explain(
      'It is short for "start --conf CONFIG NAME". The name of the container, or the path of an ' +
        "image file, comes from the line #ENROOT_ROOTFS=NAME of the script, or from the variable " +
        "ENROOT_ROOTFS. Other lines of this form are settings.",
    )
    .argument("<CONFIG>", "the script, as for start --conf")
    .argument("[COMMAND...]", "the command and its arguments")
    .examples("batch job.sh", "batch job.sh python train.py")
    .passThroughOptions()
    .action((config, command) => runBatch(config, command));
}

async function runBatch(config: string, command: string[]): Promise<void> {
  // The rest of the library would take longer to load than the container to start.
  const [{ scriptSettings }, { startRequest }, { becomeContainer }] = await Promise.all([
    import("../container/start/script_settings.ts"),
    import("../container/start/start_request.ts"),
    import("../container/start/become_container.ts"),
  ]);
  const settings = await scriptSettings(config);
  const name = settings.environment.ENROOT_ROOTFS;
  if (!name) {
    throw new DenrootError("usage", `Missing directive ENROOT_ROOTFS in ${config}`, {
      hint: "Add a line such as #ENROOT_ROOTFS=NAME, with the name of a container or the path of " +
        "an image file",
    });
  }
  await becomeContainer(startRequest(name, { command, configScript: config, settings }), settings);
}

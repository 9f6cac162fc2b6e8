/** `create`: makes a container of an image file. */

import type { Command } from "commander";
import { type CommandContext, nameOption, newCommand, workOptions } from "./common.ts";
import { formatSeconds } from "./output/units.ts";

export function createCommand(context: CommandContext): Command {
  return newCommand("create", "Create a container from an image file.")
    .explain(
      "denroot unpacks the image into a directory of ENROOT_DATA_PATH. The container appears whole " +
        "or not at all. denroot start starts it.",
    )
    .argument("<IMAGE>", "the image file")
    .addOption(nameOption('name of the container (default: "IMAGE" without its ending)'))
    .option("-f, --force", "replace an existing container")
    .option("--json", "print the result as JSON")
    .examples("create pytorch.sqsh", "create --name torch /images/pytorch.sqsh")
    .action((image, options) => runCreate(image, options, context));
}

interface Options {
  readonly name?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function runCreate(image: string, options: Options, context: CommandContext): Promise<void> {
  const { createContainer } = await import("../../mod.ts");
  const { name, path, seconds } = await createContainer(image, {
    name: options.name,
    force: options.force,
    ...await workOptions(context),
  });
  context.progress.finish();
  context.console.log("info", `Created ${path} in ${formatSeconds(seconds)}`);
  if (options.json) context.console.result(JSON.stringify({ name, path, seconds }));
}

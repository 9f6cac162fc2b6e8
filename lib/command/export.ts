/** `export`: makes an image file of a container. */

import type { Command } from "commander";
import { type CommandContext, newCommand, outputOption, workOptions } from "./common.ts";
import { writtenText } from "./output/units.ts";

export function exportCommand(context: CommandContext): Command {
  return newCommand("export", "Write a container into an image file.")
    .explain(
      "The image has the files of the container as they are now, with root as their owner. It lacks " +
        "what belongs to this machine: devices and the places of mounts. The image file appears " +
        "whole or not at all.",
    )
    .argument("<NAME>", "the container")
    .addOption(outputOption('name of the image file (default: "NAME.sqsh")'))
    .option("-f, --force", "overwrite an existing image file")
    .option("--json", "print the result as JSON")
    .examples("export pytorch", "export --output /images/pytorch-2.sqsh pytorch")
    .action((name, options) => runExport(name, options, context));
}

interface Options {
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function runExport(name: string, options: Options, context: CommandContext): Promise<void> {
  const { exportContainer } = await import("../../mod.ts");
  const exported = await exportContainer(name, {
    output: options.output,
    force: options.force,
    ...await workOptions(context),
  });
  context.progress.finish();
  context.console.log("info", writtenText(exported));
  if (options.json) context.console.result(JSON.stringify(exported));
}

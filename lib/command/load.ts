/** `load`: makes a container of a container image. */

import type { Command } from "commander";
import {
  architectureOption,
  type CommandContext,
  nameOption,
  newCommand,
  URI_SECTION,
  workOptions,
} from "./common.ts";
import { formatSeconds } from "./output/units.ts";

export function loadCommand(context: CommandContext): Command {
  return newCommand("load", "Create a container straight from a container image.")
    .explain(
      "denroot writes the files of the container while the layers arrive, and makes no image file. " +
        "The result is that of import and create, in less time. The container appears whole or not " +
        "at all.",
    )
    .argument("<URI>", "the image")
    .addOption(architectureOption())
    .addOption(nameOption('name of the container (default: "IMAGE+TAG")'))
    .option("-f, --force", "replace an existing container")
    .option("--json", "print the result as JSON")
    .section(URI_SECTION)
    .examples(
      "load docker://alpine:3.20",
      "load --name torch docker://nvcr.io#nvidia/pytorch:25.06-py3",
    )
    .action((uri, options) => runLoad(uri, options, context));
}

interface Options {
  readonly arch?: string;
  readonly name?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function runLoad(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { loadContainer } = await import("../../mod.ts");
  const loaded = await loadContainer(uri, {
    architecture: options.arch,
    name: options.name,
    force: options.force,
    ...await workOptions(context),
  });
  context.progress.finish();
  context.console.log("info", `Created ${loaded.path} in ${formatSeconds(loaded.seconds)}`);
  if (options.json) context.console.result(JSON.stringify(loaded));
}

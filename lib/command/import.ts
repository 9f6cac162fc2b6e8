/** `import`: turns a container image into an enroot image file. */

import type { Command } from "commander";
import {
  architectureOption,
  type CommandContext,
  newCommand,
  outputOption,
  URI_SECTION,
  workOptions,
} from "./common.ts";
import { writtenText } from "./output/units.ts";

export function importCommand(context: CommandContext): Command {
  return newCommand("import", "Import a container image into an enroot image file.")
    .explain(
      "denroot verifies, decompresses, merges and packs the layers while they arrive. The image " +
        "file appears whole or not at all. denroot keeps the layers in ENROOT_CACHE_PATH for the " +
        "next import.",
    )
    .argument("<URI>", "the image")
    .addOption(architectureOption())
    .addOption(outputOption())
    .option("-f, --force", "overwrite an existing image file")
    .option("--verify", "read the finished image back and compare it with what was packed")
    .option("--json", "print the result as JSON")
    .section(URI_SECTION)
    .examples(
      "import -o torch.sqsh docker://nvcr.io#nvidia/pytorch:25.06-py3",
      "import -a arm64 docker://alpine:3.20",
      "import oci:layout/directory:tag",
    )
    .action((uri, options) => runImport(uri, options, context));
}

interface Options {
  readonly arch?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly verify?: boolean;
  readonly json?: boolean;
}

async function runImport(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { importImage } = await import("../../mod.ts");
  const result = await importImage(uri, {
    output: options.output,
    architecture: options.arch,
    force: options.force,
    verify: options.verify === true,
    ...await workOptions(context),
  });
  context.progress.finish();
  context.console.log("info", writtenText(result));
  if (options.json) {
    const { output, digest, uri, bytes, seconds } = result;
    context.console.result(JSON.stringify({ output, digest, uri, bytes, seconds }));
  }
}

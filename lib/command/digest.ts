/** `digest`: the digest that a name of an image stands for at the moment. */

import type { Command } from "commander";
import {
  architectureOption,
  type CommandContext,
  newCommand,
  URI_SECTION,
  workOptions,
} from "./common.ts";

export function digestCommand(context: CommandContext): Command {
  return newCommand("digest", "Print the digest of a container image's manifest.")
    .explain(
      "The digest is that of the manifest for one platform, as enroot prints it, and not that of " +
        "the list of platforms. denroot fetches nothing else of the image.",
    )
    .argument("<URI>", "the image")
    .addOption(architectureOption())
    .option("--json", "print the result as JSON")
    .section(URI_SECTION)
    .examples("digest docker://nvcr.io#nvidia/pytorch:25.06-py3")
    .action((uri, options) => runDigest(uri, options, context));
}

interface Options {
  readonly arch?: string;
  readonly json?: boolean;
}

async function runDigest(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { resolveDigest } = await import("../../mod.ts");
  const resolved = await resolveDigest(uri, {
    architecture: options.arch,
    ...await workOptions(context),
  });
  context.progress.finish();
  const { digest } = resolved;
  context.console.result(options.json ? JSON.stringify({ uri: resolved.uri, digest }) : digest);
}

/** `FILE`: runs a definition. The kernel does so for a file with `#!/usr/bin/env denroot`. */

import { statSync } from "node:fs";
import type { Definition, Settings } from "../../mod.ts";
import { type CommandContext, commandSettings, newCommand } from "./common.ts";
import type { DocumentedCommand, HelpSection } from "./help/documented_command.ts";
import { formatBytes, formatSeconds } from "./output/units.ts";

/** The lines of such a file, for the help of the program. */
export const DEFINITION_SECTION: HelpSection = {
  title: "Image definitions",
  rows: [
    ["#!/usr/bin/env denroot", "the first line of an executable file"],
    ["image URI", "the image to import"],
    ["output FILE", "the image file, relative to this file's directory"],
    ["platform linux/ARCH", "the image's platform (default: this machine's)"],
    ["squash-options OPTIONS", "they replace ENROOT_SQUASH_OPTIONS"],
    ["mount FSTAB", "for containers, which denroot cannot start yet"],
    ["env NAME=VALUE", "for containers, which denroot cannot start yet"],
  ],
};

/** Options that a `#!` line may put before the name of the file. */
const LEADING_OPTION = /^(?:--debug|-f|--force|--json|--verify)$/;

/**
 * The words for {@link definitionCommand}, the file first; undefined where `args` do not begin with a
 * file. A word that is the name of a command always means the command.
 */
export function definitionArguments(
  args: readonly string[],
  isCommand: (word: string) => boolean,
): readonly [file: string, ...options: string[]] | undefined {
  const at = args.findIndex((arg) => !LEADING_OPTION.test(arg));
  const file = args[at];
  if (file === undefined || file.startsWith("-") || isCommand(file)) return undefined;
  const isPath = file.includes("/") && !/^[a-z-]+:/.test(file);
  return isPath || isFile(file) ? [file, ...args.slice(0, at), ...args.slice(at + 1)] : undefined;
}

/** A command with the name of `file`. Its help shows what the file defines. */
export async function definitionCommand(
  file: string,
  context: CommandContext,
): Promise<DocumentedCommand> {
  const { readDefinition } = await import("../../mod.ts");
  const settings = await commandSettings(context);
  const definition = readDefinition(file, settings.environment);
  const command = newCommand(file, "Import the image that this file defines.")
    .explain(
      "It does nothing if the output was made from the same image and is not older than the file.",
    )
    .option("-f, --force", "import again, even if the output is up to date")
    .option("--verify", "read the finished image back and compare it with what was packed")
    .option("--json", "print the result as JSON")
    .section({ title: "This file defines", rows: definedRows(definition) });
  command.action((options) => runDefinition(definition, settings, options, context));
  return command;
}

interface Options {
  readonly force?: boolean;
  readonly verify?: boolean;
  readonly json?: boolean;
}

async function runDefinition(
  definition: Definition,
  settings: Settings,
  options: Options,
  context: CommandContext,
): Promise<void> {
  const { importDefinition } = await import("../../mod.ts");
  const { output, uri, bytes, imported } = await importDefinition(definition, {
    force: options.force === true,
    verify: options.verify === true,
    settings,
    onProgress: (event) => context.progress.handle(event),
    signal: context.signal,
  });
  context.progress.finish();
  context.console.log(
    "info",
    imported === undefined
      ? `${output} is up to date`
      : `Wrote ${output} (${formatBytes(bytes)}) in ${formatSeconds(imported.seconds)}`,
  );
  if (options.json) {
    const { digest, seconds } = imported ?? {};
    const result = { output, imported: imported !== undefined, digest, uri, bytes, seconds };
    context.console.result(JSON.stringify(result));
  }
}

function definedRows(definition: Definition): ReadonlyArray<readonly [string, string]> {
  const { image, output, platform, squashOptions, mounts, env } = definition;
  return [
    ["image", image],
    ["output", output],
    ...(platform === undefined ? [] : [["platform", platform]] as const),
    ...(squashOptions === undefined ? [] : [["squash-options", squashOptions]] as const),
    ...mounts.map((mount) => ["mount", mount] as const),
    ...env.map((variable) => ["env", variable] as const),
  ];
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** `FILE`: what the kernel makes of an executable file that begins with `#!/usr/bin/env denroot`. */

import { statSync } from "node:fs";
import type { Definition, Settings } from "../../mod.ts";
import { type CommandContext, newCommand } from "./common.ts";
import type { DocumentedCommand, HelpSection } from "./help/documented_command.ts";
import { formatBytes, formatSeconds } from "./output/units.ts";

/** For the program's help: what such a file may say. */
export const DEFINITION_SECTION: HelpSection = {
  title: "Image definitions",
  rows: [
    ["#!/usr/bin/env denroot", "begins an executable file that says what to import"],
    ["image URI", "the image"],
    ["output FILE", "the image file; relative to the definition's directory"],
    ["platform linux/ARCH", "the image's platform (default: this machine's)"],
    ["squash-options OPTIONS", "instead of ENROOT_SQUASH_OPTIONS"],
    ["mount FSTAB", "for containers, which denroot cannot start yet"],
    ["env NAME=VALUE", "for containers, which denroot cannot start yet"],
  ],
};

/** What may stand before the file's name, where a `#!` line puts it. */
const LEADING_OPTION = /^(?:--debug|-f|--force|--json|--verify)$/;

/**
 * The words for {@link definitionCommand}, its name first; undefined where `args` begin with anything
 * but a file. A word that is the name of a command is that command.
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

/** The command that `file` is: named after it, its help tells what it would do. */
export async function definitionCommand(
  file: string,
  context: CommandContext,
): Promise<DocumentedCommand> {
  const { loadSettings, readDefinition } = await import("../../mod.ts");
  const settings = await loadSettings();
  const definition = readDefinition(file, settings.environment);
  const command = newCommand(file, "Import the image that this file defines.")
    .explain(
      "Does nothing where the output was made from the same image and is not older than the file.",
    )
    .option("-f, --force", "import anew, whatever the output is")
    .option("--verify", "read the finished image back and compare it with what was sent")
    .option("--json", "print what was made as JSON")
    .section({ title: "Defined", rows: definedRows(definition) });
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

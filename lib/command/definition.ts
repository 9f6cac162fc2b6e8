/** `FILE`: runs a definition. The kernel does so for a file with `#!/usr/bin/env denroot`. */

import { statSync } from "node:fs";
import type {
  Definition,
  DefinitionOptions,
  InheritedState,
  ProgressEvent,
  Settings,
} from "../../mod.ts";
import { DenrootError } from "../errors.ts";
import { type CommandContext, commandSettings, newCommand } from "./common.ts";
import type { DocumentedCommand, HelpSection } from "./help/documented_command.ts";
import { writtenText } from "./output/units.ts";
import { becomeRunnable } from "./run.ts";
import { addStartOptions, startOptionsOf, type StartWords } from "./start_options.ts";

/** The lines of such a file, for the help of the program. */
export const DEFINITION_SECTION: HelpSection = {
  title: "Image definitions",
  rows: [
    ["#!/usr/bin/env denroot", "the first line of an executable file"],
    ["image URI", "the image to import"],
    ["output FILE", "the image file, relative to this file's directory"],
    ["platform linux/ARCH", "the image's platform (default: this machine's)"],
    ["squash-options OPTIONS", "they replace ENROOT_SQUASH_OPTIONS"],
    ["mount FSTAB", "a mount in the container, as start --mount takes it"],
    ["env NAME=VALUE", "a variable in the container, as start --env takes it"],
    ["workdir DIR", "the directory in the container in which the command starts"],
    ["writable yes", "the container may write to its root file system"],
    ["remap-root yes", "the user is root inside the container"],
    ["conf FILE", "a script, as start --conf takes it, relative to this file's directory"],
  ],
};

/** Options that a `#!` line may put before the name of the file. */
const LEADING_OPTION = /^(?:--debug|-f|--force|--json|--verify|--import-only)$/;

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
  const { inheritedState, readDefinition } = await import("../../mod.ts");
  const inherited = inheritedState();
  const settings = await commandSettings(context);
  const definition = readDefinition(file, settings.environment);
  return addStartOptions(
    newCommand(file, "Start a container of the image that this file defines.")
      .explain(
        "The image is imported, unless the output was made from the same image and is not older than " +
          "the file.",
      )
      .argument("[COMMAND...]", "the command and its arguments")
      .option("-f, --force", "import again, even if the output is up to date")
      .option("--verify", "read a new image back and compare it with what was packed")
      .option("--import-only", "bring the image up to date, and start nothing"),
  )
    .option("--json", "print the result of --import-only, or what --dry-run shows, as JSON")
    .section({ title: "This file defines", rows: definedRows(definition) })
    .passThroughOptions()
    .action((command, options) =>
      runDefinition({ definition, settings, inherited, command, options }, context)
    );
}

interface Options extends StartWords {
  readonly force?: boolean;
  readonly verify?: boolean;
  readonly importOnly?: boolean;
}

interface Run {
  readonly definition: Definition;
  readonly settings: Settings;
  readonly inherited: InheritedState;
  readonly command: readonly string[];
  readonly options: Options;
}

async function runDefinition(run: Run, context: CommandContext): Promise<void> {
  const { definition, options, settings } = run;
  refuseUseless(run);
  const importing = {
    force: options.force === true,
    verify: options.verify === true,
    settings,
    onProgress: (event: ProgressEvent) => context.progress.handle(event),
    signal: context.signal,
  };
  if (options.importOnly) return await importOnly(definition, importing, options, context);
  const { runnableDefinition } = await import("../../mod.ts");
  const start = { ...startOptionsOf(options), command: run.command, inherited: run.inherited };
  await becomeRunnable(await runnableDefinition(definition, importing), start, context);
}

/** Throws code `usage` for words that would mean nothing. */
function refuseUseless({ command, options, definition }: Run): void {
  if (options.importOnly && command.length > 0) {
    throw new DenrootError("usage", "With --import-only no command runs", {
      hint: `See ${definition.file} --help`,
    });
  }
  if (options.json && !options.importOnly && !options.dryRun) {
    throw new DenrootError("usage", "--json needs --import-only or --dry-run", {
      hint: `See ${definition.file} --help`,
    });
  }
}

async function importOnly(
  definition: Definition,
  importing: DefinitionOptions,
  options: Options,
  context: CommandContext,
): Promise<void> {
  const { importDefinition } = await import("../../mod.ts");
  const { output, uri, bytes, imported } = await importDefinition(definition, importing);
  context.progress.finish();
  context.console.log(
    "info",
    imported === undefined
      ? `${output} is up to date`
      : writtenText({ output, bytes, seconds: imported.seconds }),
  );
  if (options.json) {
    const { digest, seconds } = imported ?? {};
    const result = { output, imported: imported !== undefined, digest, uri, bytes, seconds };
    context.console.result(JSON.stringify(result));
  }
}

function definedRows(definition: Definition): ReadonlyArray<readonly [string, string]> {
  const { image, output, platform, squashOptions, mounts, env, workdir, conf } = definition;
  const one = (name: string, value: string | undefined) =>
    value === undefined ? [] : [[name, value] as const];
  const flag = (value: boolean | undefined) => value === undefined ? value : value ? "yes" : "no";
  return [
    ["image", image],
    ["output", output],
    ...one("platform", platform),
    ...one("squash-options", squashOptions),
    ...mounts.map((mount) => ["mount", mount] as const),
    ...env.map((variable) => ["env", variable] as const),
    ...one("workdir", workdir),
    ...one("writable", flag(definition.writable)),
    ...one("remap-root", flag(definition.remapRoot)),
    ...one("conf", conf),
  ];
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

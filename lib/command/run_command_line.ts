/** Finds the command that the arguments name and runs it, or says where the help is. */

import { type Command, CommanderError } from "commander";
import { DenrootError } from "../errors.ts";
import { VERSION } from "../system/version.ts";
import { type CommandContext, newCommand } from "./common.ts";
import { batchCommand } from "./batch.ts";
import { cacheCommand } from "./cache.ts";
import { completionsCommand } from "./completions.ts";
import { copyCommand } from "./copy.ts";
import { createCommand } from "./create.ts";
import { DEFINITION_SECTION, definitionArguments, definitionCommand } from "./definition.ts";
import { deleteCommand } from "./delete.ts";
import { digestCommand } from "./digest.ts";
import { doctorCommand } from "./doctor.ts";
import { execCommand } from "./exec.ts";
import type { DocumentedCommand } from "./help/documented_command.ts";
import { helpCommand } from "./help.ts";
import { hooksCommand } from "./hooks.ts";
import { importCommand } from "./import.ts";
import { exportCommand } from "./export.ts";
import { infoCommand } from "./info.ts";
import { inspectCommand } from "./inspect.ts";
import { listCommand } from "./list.ts";
import { loadCommand } from "./load.ts";
import { removeCommand } from "./remove.ts";
import { runCommand } from "./run.ts";
import { startCommand } from "./start.ts";
import { shareCommand } from "./share.ts";
import { syncCommand } from "./sync.ts";
import { manifestsCommand } from "./manifests.ts";
import { tagsCommand } from "./tags.ts";
import { verifyCommand } from "./verify.ts";
import { versionCommand } from "./version.ts";

const COMMANDS = [
  importCommand,
  createCommand,
  runCommand,
  startCommand,
  execCommand,
  listCommand,
  removeCommand,
  exportCommand,
  loadCommand,
  batchCommand,
  hooksCommand,
  copyCommand,
  syncCommand,
  verifyCommand,
  shareCommand,
  inspectCommand,
  digestCommand,
  tagsCommand,
  manifestsCommand,
  deleteCommand,
  cacheCommand,
  infoCommand,
  doctorCommand,
  completionsCommand,
  versionCommand,
  helpCommand,
] as const;
type CommandMaker = (context: CommandContext) => Command;

/** Commands that become another program, which should begin at once. */
const QUICK_COMMANDS: ReadonlyMap<string | undefined, CommandMaker> = new Map([
  ["start", startCommand],
  ["exec", execCommand],
  ["batch", batchCommand],
  ["run", runCommand],
]);

/** Commands of enroot that users will try. */
const LATER_COMMANDS: ReadonlySet<string> = new Set([
  "bundle",
]);

/** Runs the command in `args`. Throws code `usage` when they are wrong. */
export async function runCommandLine(
  args: readonly string[],
  context: CommandContext,
): Promise<void> {
  const quick = QUICK_COMMANDS.get(args[0]);
  const program = createProgram(context, quick === undefined ? COMMANDS : [quick]);
  if (args.length === 0) throw noCommand(context);
  refuseLaterCommand(args, context);
  const words = await withDefinition(program, args, context);
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    // Words without a command, such as --debug alone.
    if (error.code === "commander.help") throw noCommand(context);
    throw new DenrootError("usage", usageMessage(error), {
      // No cause: its message has what usageMessage() takes out.
      hint: seeHelp(context, program.commands.filter((command) => command.name() === words[0])),
    });
  }
}

/** The program with all of its commands, or with these. */
export function createProgram(
  context: CommandContext,
  makers: readonly CommandMaker[] = COMMANDS,
): DocumentedCommand {
  const name = context.console.programName;
  const program = newCommand(
    name,
    "Turns container images into enroot images and containers, without privileges.",
  )
    .explain(
      "denroot reads an image from a registry, an archive, a directory or an engine's storage, " +
        "and writes one squashfs file, or the files of a container. It starts containers as enroot " +
        "does. denroot needs no root and no daemon.",
    )
    .version(VERSION, "--version", "print the version")
    .enablePositionalOptions()
    .helpCommand(false)
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .section(DEFINITION_SECTION)
    .examples("import docker://alpine:3.20");
  for (const make of makers) {
    program.addCommand(make(context));
  }
  for (const command of [program, ...program.commands]) speakThrough(command, context);
  return program;
}

/** Adds a command for the definition file in `args`, if there is one. */
async function withDefinition(
  program: Command,
  args: readonly string[],
  context: CommandContext,
): Promise<readonly string[]> {
  const isCommand = (word: string) => program.commands.some((command) => command.name() === word);
  const words = definitionArguments(args, isCommand);
  if (words === undefined) return args;
  const command = await definitionCommand(words[0], context);
  program.addCommand(speakThrough(command, context));
  return words;
}

/** Makes the command throw its errors instead of printing them. */
function speakThrough<Spoken extends Command>(command: Spoken, context: CommandContext): Spoken {
  return command.exitOverride().configureOutput({
    writeOut: (text) => context.console.help(text),
    writeErr: () => {},
    outputError: () => {},
  });
}

function refuseLaterCommand(args: readonly string[], context: CommandContext): void {
  const command = args.find((arg) => !arg.startsWith("-"));
  if (command === undefined || !LATER_COMMANDS.has(command)) return;
  throw new DenrootError("usage", `denroot has no command "${command}"`, {
    hint: `enroot has it. An image file and denroot do what a bundle does. ${seeHelp(context, [])}`,
  });
}

function noCommand(context: CommandContext): DenrootError {
  return new DenrootError("usage", "No command given", { hint: seeHelp(context, []) });
}

function usageMessage(error: CommanderError): string {
  const text = error.message.replace(/^error: /, "").replace(
    /\n\(Did you mean (.*)\?\)$/,
    "; is it '$1'?",
  )
    .replace(/\n.*/s, "").replace(/\.$/, "")
    // The value of an option that does not exist may be a password, and so may a stray argument.
    .replace(/^command-argument value '(.*)' is invalid for argument '(\w+)'/s, "$2 cannot be '$1'")
    .replace(/^(unknown option '[^'=]*)=.*/s, "$1'")
    .replace(/(but got \d+): .*/s, "$1");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function seeHelp(context: CommandContext, commands: readonly Command[]): string {
  const words = [context.console.programName, ...commands.map((command) => command.name())];
  return `See ${words.join(" ")} --help`;
}

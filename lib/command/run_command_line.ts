/** Arguments to a command's work; says how to use it when they are wrong. */

import { type Command, CommanderError } from "commander";
import { DenrootError, version } from "../../mod.ts";
import { type CommandContext, examples, newCommand } from "./common.ts";
import { digestCommand } from "./digest.ts";
import { helpCommand } from "./help.ts";
import { importCommand } from "./import.ts";
import { infoCommand } from "./info.ts";
import { versionCommand } from "./version.ts";

const COMMANDS = [importCommand, digestCommand, infoCommand, versionCommand, helpCommand] as const;

/** Commands of enroot's that people will try. */
const LATER_COMMANDS: ReadonlySet<string> = new Set([
  "batch",
  "bundle",
  "create",
  "exec",
  "export",
  "list",
  "load",
  "remove",
  "start",
]);

/** Does what `args` ask for. Throws `DenrootError`, code `usage` when they make no sense. */
export async function runCommandLine(
  args: readonly string[],
  context: CommandContext,
): Promise<void> {
  const program = createProgram(context);
  if (args.length === 0) {
    throw new DenrootError("usage", "No command given", { hint: seeHelp(context, []) });
  }
  refuseLaterCommand(args, context);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw new DenrootError("usage", usageMessage(error), {
      cause: error,
      hint: seeHelp(context, program.commands.filter((command) => command.name() === args[0])),
    });
  }
}

/** The tree of commands; each file adds its own. */
export function createProgram(context: CommandContext): Command {
  const name = context.console.programName;
  const program = newCommand(
    name,
    "Turns container images into enroot images, without privileges.",
  )
    .version(version, "--version", "print the version")
    .enablePositionalOptions()
    .helpCommand(false)
    .addHelpText("after", examples(name, ["import docker://alpine:3.20"]));
  for (const make of COMMANDS) {
    program.addCommand(make(context));
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.console.help(text),
      writeErr: () => {},
      outputError: () => {},
    });
  }
  return program;
}

function refuseLaterCommand(args: readonly string[], context: CommandContext): void {
  const command = args.find((arg) => !arg.startsWith("-"));
  if (command === undefined || !LATER_COMMANDS.has(command)) return;
  throw new DenrootError("usage", `There is no command "${command}" in denroot`, {
    hint: `denroot makes images; enroot itself takes them from there. ${seeHelp(context, [])}`,
  });
}

function usageMessage(error: CommanderError): string {
  const text = error.message.replace(/^error: /, "").replace(/\n.*/s, "").replace(/\.$/, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function seeHelp(context: CommandContext, commands: readonly Command[]): string {
  const words = [context.console.programName, ...commands.map((command) => command.name())];
  return `See ${words.join(" ")} --help`;
}

/** `help`: prints the same help as `--help`, and the manual pages. */

import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import { closestName } from "../text/closest_name.ts";
import { type CommandContext, newCommand } from "./common.ts";
import type { DocumentedCommand } from "./help/documented_command.ts";

export function helpCommand(context: CommandContext): Command {
  const command = newCommand("help", "Show how to use a command.")
    .argument("[COMMAND]", "the command; without it, all commands are listed")
    .option("--man", "print the source of the manual page, for man")
    .examples("help import", "help --man import | man -l -");
  return command.action(async (name: string | undefined, options: { readonly man?: boolean }) => {
    const topic = findTopic(command.parent!, name);
    if (!options.man) return topic.outputHelp();
    const { manualPage } = await import("./manual/manual_page.ts");
    context.console.help(manualPage(topic));
  });
}

function findTopic(program: Command, name: string | undefined): DocumentedCommand {
  const topic = name === undefined
    ? program
    : program.commands.find((candidate) => candidate.name() === name);
  if (topic !== undefined) return topic as DocumentedCommand;
  const closest = closestName(name!, program.commands.map((candidate) => candidate.name()));
  const question = closest === undefined ? "" : `; is it "${closest}"?`;
  throw new DenrootError("usage", `There is no command "${name}"${question}`, {
    hint: `See ${program.name()} --help`,
  });
}

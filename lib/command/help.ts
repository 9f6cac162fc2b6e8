/** `help`: what `--help` says, for those who ask the other way round. */

import type { Command } from "commander";
import { DenrootError } from "../../mod.ts";
import { type CommandContext, examples, newCommand } from "./common.ts";

export function helpCommand(context: CommandContext): Command {
  const command = newCommand("help", "Show how to use a command.")
    .argument("[COMMAND]", "the command; without it all are listed")
    .addHelpText("after", examples(context.console.programName, ["help import"]));
  return command.action((name: string | undefined) => {
    const program = command.parent!;
    const topic = name === undefined
      ? program
      : program.commands.find((candidate) => candidate.name() === name);
    if (topic === undefined) {
      throw new DenrootError("usage", `There is no command "${name}"`, {
        hint: `See ${context.console.programName} --help`,
      });
    }
    topic.outputHelp();
  });
}

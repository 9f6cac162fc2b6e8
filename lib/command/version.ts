/** `version`: the number alone, as enroot prints its own. */

import type { Command } from "commander";
import { version } from "../../mod.ts";
import { type CommandContext, examples, newCommand } from "./common.ts";

export function versionCommand(context: CommandContext): Command {
  return newCommand("version", "Print denroot's version.")
    .addHelpText("after", examples(context.console.programName, ["version"]))
    .action(() => context.console.result(version));
}

/** `version`: prints only the number, as enroot does. */

import type { Command } from "commander";
import { VERSION } from "../system/version.ts";
import { type CommandContext, newCommand } from "./common.ts";

export function versionCommand(context: CommandContext): Command {
  return newCommand("version", "Print denroot's version.")
    .examples("version")
    .action(() => context.console.result(VERSION));
}

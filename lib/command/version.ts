/** `version`: prints only the number, as enroot does; under its name, that of the enroot it stands for. */

import type { Command } from "commander";
import { ENROOT_VERSION, VERSION } from "../system/version.ts";
import { type CommandContext, newCommand } from "./common.ts";

export function versionCommand(context: CommandContext): Command {
  const { programName, result } = context.console;
  return newCommand("version", "Print denroot's version.")
    .explain(
      "Under the name enroot it prints the version of enroot that denroot stands for, and the option " +
        "--version prints denroot's own.",
    )
    .examples("version")
    .action(() => result(programName === "enroot" ? ENROOT_VERSION : VERSION));
}

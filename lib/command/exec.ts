/** `exec`: becomes a process of a container that runs. */

import type { Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";
import { addExecOptions, runExec } from "./run_exec.ts";

export function execCommand(_context: CommandContext): Command {
  return addExecOptions(
    newCommand("exec", "Run a command in a container that runs.")
      .argument("<PID>", "a process of the container")
      .argument("<COMMAND...>", "the command and its arguments"),
  )
    .examples("exec 4711 bash", "exec -e DEBUG=1 4711 ps aux")
    .passThroughOptions()
    .action((pid, command, options) => runExec(pid, command, options));
}

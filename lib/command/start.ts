/** `start`: becomes a container. */

import type { Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";
import { runStart } from "./run_start.ts";
import { addStartOptions } from "./start_options.ts";

export function startCommand({ console }: CommandContext): Command {
  return addStartOptions(
    newCommand("start", "Start a container and run a command in it.")
      .explain(
        "The container's own start script runs the command; without one, that script decides what " +
          "runs. denroot becomes the container, and so no process of it stays.",
      )
      .argument("<NAME>", "the container's name, or an image file")
      .argument("[COMMAND...]", "the command and its arguments"),
  )
    .option("--json", "print what --dry-run shows as JSON")
    .examples("start ubuntu", "start -r -w ubuntu apt-get update", "start -m /data ubuntu ls /data")
    .passThroughOptions()
    .action((name, command, words) => runStart(name, command, { words, log: console.log }));
}

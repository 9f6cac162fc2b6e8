/** `start`: becomes a container. */

import type { Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";
import { addStartOptions, startOptionsOf, type StartWords } from "./start_options.ts";

export function startCommand(context: CommandContext): Command {
  return addStartOptions(
    newCommand("start", "Start a container and run a command in it.")
      .explain(
        "The container's own start script runs the command; without one, that script decides what " +
          "runs. denroot becomes the container, and so no process of it stays.",
      )
      .argument("<NAME>", "the container's name, or an image file")
      .argument("[COMMAND...]", "the command and its arguments"),
  )
    .option("--json", "print them as JSON")
    .examples("start ubuntu", "start -r -w ubuntu apt-get update", "start -m /data ubuntu ls /data")
    .passThroughOptions()
    .action((name, command, options) => {
      warnOfMisplaced(command, context);
      return runStart(name, command, options);
    });
}

/** Options of `start` that hardly any program of a container has as its first argument. */
const UNMISTAKABLE =
  /^(?:-w|-r|--(?:rw|root|mount|env|env-file|conf|rc|workdir|pid|net|ipc|uts|unpack|dry-run)(?:=.*)?)$/s;

/** As in enroot, what stands behind the name belongs to the command. */
function warnOfMisplaced([first]: readonly string[], { console }: CommandContext): void {
  if (first === undefined || !UNMISTAKABLE.test(first)) return;
  const [option] = first.split("=");
  console.log(
    "warn",
    `${option} stands behind the container's name, so the container's command gets it. ` +
      "Write options of start before the name",
  );
}

async function runStart(name: string, command: string[], options: StartWords): Promise<void> {
  // The rest of the library would take longer to load than the container to start.
  const [{ scriptSettings }, { startRequest }, { becomeContainer }] = await Promise.all([
    import("../container/start/script_settings.ts"),
    import("../container/start/start_request.ts"),
    import("../container/start/become_container.ts"),
  ]);
  const settings = await scriptSettings(options.conf);
  const request = startRequest(name, {
    ...startOptionsOf(options),
    command,
    settings,
  });
  await becomeContainer(request, settings);
}

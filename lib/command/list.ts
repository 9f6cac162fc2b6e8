/** `list`: the containers, and what runs in them. */

import type { Command } from "commander";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, newCommand } from "./common.ts";
import { containerTable } from "./output/container_table.ts";

export function listCommand(context: CommandContext): Command {
  return newCommand("list", "List the containers.")
    .explain("Containers are the directories in ENROOT_DATA_PATH.")
    .option("-f, --fancy", "show the processes of each container in a table")
    .option("--json", "print the containers and their processes as JSON")
    // enroot ignores them.
    .allowExcessArguments()
    .examples("list", "list --fancy", "list --json | jq -r '.[] | .name'")
    .action((options: Options) => runList(options, context));
}

interface Options {
  readonly fancy?: boolean;
  readonly json?: boolean;
}

async function runList({ fancy, json }: Options, context: CommandContext): Promise<void> {
  const { console } = context;
  const { containerNames, listContainers, loadSettings } = await import("../../mod.ts");
  // It does not warn of settings as other commands do: pyxis reads standard error as a part of the list.
  const settings = await loadSettings();
  if (json) {
    console.result(printableJson(await listContainers({ settings })));
  } else if (fancy) {
    console.result(containerTable(await listContainers({ settings }), new Date()));
  } else {
    const names = containerNames(settings);
    if (names.length > 0) console.result(names.map(printableLine).join("\n"));
  }
}

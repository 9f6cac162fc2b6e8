/** `info`: every setting, its value, and who set it. */

import type { Command } from "commander";
import { loadSettings, type Settings, version } from "../../mod.ts";
import { printableLine } from "./printable.ts";
import { type CommandContext, examples, newCommand } from "./common.ts";

export function infoCommand(context: CommandContext): Command {
  return newCommand("info", "Show the settings and where each comes from.")
    .option("--json", "print them as JSON")
    .addHelpText(
      "after",
      examples(context.console.programName, ["info", "info --json | jq -r '.settings[] | .name'"]),
    )
    .action((options: { readonly json?: boolean }) => runInfo(options, context));
}

async function runInfo(
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const settings = await loadSettings();
  context.console.result(
    options.json
      ? JSON.stringify({ version, settings: settings.entries }, undefined, 2)
      : formatInfo(settings),
  );
}

/** A row for each setting: name, value, origin, note. */
export function formatInfo(settings: Pick<Settings, "entries" | "sysconfPath">): string {
  const rows = settings.entries.map((entry) => ({
    name: entry.name,
    value: entry.value === "" ? "-" : printableLine(entry.value),
    source: printableLine(
      entry.note === undefined ? entry.origin : `${entry.origin} (${entry.note})`,
    ),
  }));
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  // One long value must not push all origins off the screen.
  const valueWidth = Math.min(40, Math.max(...rows.map((row) => row.value.length)));
  const lines = rows.map((row) =>
    `  ${row.name.padEnd(nameWidth)}  ${row.value.padEnd(valueWidth)}  ${row.source}`
  );
  return [
    `denroot ${version}`,
    `Configuration file: ${printableLine(settings.sysconfPath)}/enroot.conf`,
    "",
    "Settings:",
    ...lines,
  ].join("\n");
}

/** `hooks`: what runs before a container starts, in which order, and why. */

import type { Command } from "commander";
import type { ListedHook } from "../../mod.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, commandSettings, newCommand } from "./common.ts";
import { SCREEN_COLUMNS, wrapText } from "./output/wrap_text.ts";

export function hooksCommand(context: CommandContext): Command {
  return newCommand("hooks", "Show what prepares each container before it starts.")
    .explain(
      "Hooks are built in, or scripts of the site and the user in hooks.d. They run in this order. " +
        "A script takes the place of the built-in hook of the same name; a script that is empty or " +
        "not executable switches it off.",
    )
    .option("--json", "print the hooks as JSON")
    .examples("hooks", "hooks --json | jq -r '.[] | select(.runs) | .name'")
    .action((options: Options) => runHooks(options, context));
}

interface Options {
  readonly json?: boolean;
}

async function runHooks({ json }: Options, context: CommandContext): Promise<void> {
  const { listHooks } = await import("../../mod.ts");
  const hooks = listHooks(await commandSettings(context));
  context.console.result(json ? printableJson(hooks) : formatHooks(hooks));
}

/** A row for each hook: whether it runs, its name, its place, and why; then what it does. */
function formatHooks(hooks: readonly ListedHook[]): string {
  const width = Math.max(...hooks.map(({ name }) => printableLine(name).length));
  return hooks.map(({ name, path, runs, reason, summary }) => {
    const why = path === undefined ? sentence(reason) : `${path}: ${sentence(reason)}`;
    const does = runs && summary !== undefined ? ` ${summary}` : "";
    const head = `${(runs ? "runs" : "off").padEnd(6)}${printableLine(name).padEnd(width)}  `;
    const lines = wrapText(why + does, SCREEN_COLUMNS - head.length);
    return head + lines.join(`\n${" ".repeat(head.length)}`);
  }).join("\n");
}

function sentence(text: string): string {
  const stop = text.endsWith(".") ? "" : ".";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${stop}`;
}

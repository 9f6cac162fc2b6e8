/** A container's plan as text for people, or as JSON for programs. Pure. */

import { shellWord } from "../../enroot/quote.ts";
import { printableJson, printableLine } from "../../text/printable.ts";
import type {
  ContainerPlan,
  PlannedCommand,
  PlannedHook,
  PlannedMount,
  PlannedVariable,
} from "../../types/container.ts";

/**
 * `command` is what would be executed if no hook changed the files that decide it. Values of variables
 * may be secrets; they are shown, because they are what a user looks for here.
 */
export function describePlan(plan: ContainerPlan, command: PlannedCommand): string {
  const text = plan.request.dryRun === "json" ? planJson(plan, command) : planText(plan, command);
  return `${text}\n`;
}

function planText(plan: ContainerPlan, command: PlannedCommand): string {
  const { request: { root, writable }, mounts, hooks, environment, warnings } = plan;
  const variables = [...environment, ...command.environment];
  return [
    `Root: ${root.path}, ${writable ? "writable" : "read-only"}`,
    ...section("Mounts before the hooks", mounts.filter(({ pass }) => pass < 0).map(mountText)),
    ...section("Hooks", hooks.map(hookText)),
    ...section("Mounts after the hooks", mounts.filter(({ pass }) => pass >= 0).map(mountText)),
    ...section("Environment before the hooks", variablesText(variables)),
    ...section("Command, unless hooks change the files that decide it", commandText(command)),
    ...section("Warnings", warnings),
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : ["", `${title}:`, ...lines.map((line) => `  ${printableLine(line)}`)];
}

function mountText({ source, target, type, options, origin }: PlannedMount): string {
  const kind = type === "none" ? "" : ` ${type}`;
  return `${source} on ${target}${kind} (${options.join(",")}) [${origin}]`;
}

function hookText({ name, path, reason, runs }: PlannedHook): string {
  return `${runs ? "runs:" : "does not run:"} ${path ?? `built-in ${name}`} (${reason})`;
}

/** Each name once, where it first stands, with the value that counts and those that it replaces. */
function variablesText(variables: readonly PlannedVariable[]): string[] {
  const byName = Map.groupBy(variables, ({ name }) => name);
  return [...byName].map(([name, all]) => {
    const { value, origin } = all.at(-1)!;
    const replaced = all.slice(0, -1).map(({ origin }) => origin);
    return `${name}=${value} [${origin}${
      replaced.length > 0 ? `, not ${replaced.join(", ")}` : ""
    }]`;
  });
}

function commandText(command: PlannedCommand): string[] {
  if (command.refusesLogins) return ["nothing, because /etc/nologin of the image lets nobody in"];
  return [
    `${command.path}, as: ${command.argv.map(quoteWord).join(" ")}`,
    `in ${command.directory}`,
  ];
}

/** As a shell would have it. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellWord(word);
}

function planJson(plan: ContainerPlan, command: PlannedCommand): string {
  const { request: { name, root, writable, namespaces } } = plan;
  const { mounts, hooks, environment, warnings } = plan;
  const { fileSizeLimitBytes, environment: added, ...rest } = command;
  return printableJson({
    name,
    root,
    writable,
    namespaces,
    mounts,
    hooks,
    environment: [...environment, ...added],
    command: {
      ...rest,
      ...(fileSizeLimitBytes !== undefined && { fileSizeLimitBytes: String(fileSizeLimitBytes) }),
    },
    warnings,
  });
}

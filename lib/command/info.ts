/** `info`: shows every setting with its value and origin, the squashfs tools, and licences. */

import type { Command } from "commander";
import type { Component, Settings, SquashfsTool } from "../../mod.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { VERSION } from "../system/version.ts";
import { printableLine } from "../text/printable.ts";
import { type CommandContext, newCommand } from "./common.ts";
import { enrootInfo } from "./output/enroot_info.ts";

export function infoCommand(context: CommandContext): Command {
  return newCommand(
    "info",
    "Show the settings, the origin of each, and the squashfs tools in use.",
  )
    .explain("Under the name enroot it prints what enroot's info prints.")
    .option("--json", "print all of this as JSON")
    .option("--licenses", "print the parts of denroot and their licences")
    .examples("info", "info --json | jq -r '.settings[] | .name'", "info --licenses | less")
    .action((options: Options) => runInfo(options, context));
}

interface Options {
  readonly json?: boolean;
  readonly licenses?: boolean;
}

/** The tool, or the error why there is none. */
type ToolReport =
  | { readonly name: string } & Pick<SquashfsTool, "version" | "origin" | "location">
  | { readonly name: string; readonly error: string };

async function runInfo(options: Options, context: CommandContext): Promise<void> {
  const { components: carriedComponents, licenceTexts, loadSettings } = await import(
    "../../mod.ts"
  );
  const components = carriedComponents();
  const licences = options.licenses ? licenceTexts() : undefined;
  if (options.licenses && licences === undefined) throw noLicences();
  if (licences !== undefined && !options.json) {
    context.console.result(`${formatComponents(components)}\n\n${licences.trimEnd()}`);
    return;
  }
  const settings = await loadSettings();
  if (context.console.programName === "enroot" && !options.json) {
    context.console.result(enrootInfo(settings));
    return;
  }
  const tools = await reportTools(settings);
  context.console.result(
    options.json
      ? JSON.stringify(
        {
          version: VERSION,
          settings: settings.entries,
          squashfsTools: tools,
          components,
          licences,
        },
        undefined,
        2,
      )
      : formatInfo(settings, tools, components),
  );
}

/** Finds the tools as an import does: it unpacks and runs the carried ones. */
async function reportTools(settings: Settings): Promise<ToolReport[]> {
  const { findMksquashfs, findUnsquashfs } = await import("../../mod.ts");
  return [
    await reportTool("mksquashfs", findMksquashfs(settings)),
    await reportTool("unsquashfs", findUnsquashfs(settings)),
  ];
}

async function reportTool(name: string, found: Promise<SquashfsTool>): Promise<ToolReport> {
  try {
    using tool = await found;
    const { version, origin, location } = tool;
    return { name, version, origin, location };
  } catch (error) {
    return { name, error: messageOf(error) };
  }
}

const VALUE_COLUMNS = 24;

/** A row for each tool (name, version, place) and for each setting (name, value, origin, note). */
export function formatInfo(
  settings: Pick<Settings, "entries" | "sysconfPath">,
  tools: readonly ToolReport[],
  components: readonly Component[],
): string {
  const settingRows = settings.entries.map((entry) => [
    entry.name,
    entry.value === "" ? "-" : printableLine(entry.value),
    printableLine(entry.note === undefined ? entry.origin : `${entry.origin} (${entry.note})`),
  ]);
  const toolRows = tools.map((tool) =>
    "error" in tool
      ? [tool.name, "-", printableLine(tool.error)]
      : [tool.name, tool.version, printableLine(whereIs(tool))]
  );
  const carried = tools.some((tool) => "origin" in tool && tool.origin === "carried");
  const [source] = components;
  return [
    `denroot ${VERSION}`,
    `Configuration file: ${printableLine(settings.sysconfPath)}/enroot.conf`,
    "",
    "Squashfs tools:",
    ...alignRows(toolRows),
    ...(carried && source !== undefined
      ? [`  built from Debian's ${source.source}, ${source.licence}; see denroot info --licenses`]
      : []),
    "",
    "Settings:",
    ...alignRows(settingRows),
  ].join("\n");
}

/** A row for each carried component: name, version, licence, Debian's source package. */
export function formatComponents(components: readonly Component[]): string {
  const rows = components.map(({ name, version, licence, source }) => [
    name,
    version,
    licence,
    `Debian's source package ${source}`,
  ]);
  return ["The squashfs tools that denroot carries:", ...alignRows(rows)].join("\n");
}

function whereIs({ origin, location }: Pick<SquashfsTool, "origin" | "location">): string {
  switch (origin) {
    case "host":
      return location;
    case "setting":
      return `${location} (named by a setting)`;
    case "carried":
      return `denroot's own, in ${location}`;
  }
}

/** Columns side by side. The last column has no fixed width. */
function alignRows(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length - 1));
  const widths = Array.from({ length: columns }, (_, at) => {
    const widest = Math.max(...rows.map((row) => row[at]!.length));
    // A long value must not push all origins off a screen of 80 columns.
    return at === 0 ? widest : Math.min(VALUE_COLUMNS, widest);
  });
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ")}`);
}

function noLicences(): DenrootError {
  return new DenrootError(
    "not_found",
    "This denroot carries no squashfs tools, and so it has no licences of theirs",
    {
      hint:
        "denroot's own licence is in LICENSE; scripts/build_squashfs builds the tools and collects " +
        "their licences",
    },
  );
}

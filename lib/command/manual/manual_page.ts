/** Manual pages in man(7), made from the same definitions as the help. */

import type { Argument, Command, Option } from "commander";
import { RELEASED, VERSION } from "../../system/version.ts";
import type { DocumentedCommand, HelpSection } from "../help/documented_command.ts";
import { ENVIRONMENT, type EnvironmentRow, EXIT_CODES, FILES } from "./manual_tables.ts";
import {
  bold,
  italic,
  paragraph,
  roffText,
  runningText,
  section,
  tagged,
  verbatim,
} from "./roff.ts";
import { sentence } from "./sentence.ts";

/** The page of a command or of the program: `denroot-import.1`, `denroot.1`. */
export function manualPage(command: DocumentedCommand): string {
  const program = (command.parent ?? command) as DocumentedCommand;
  const lines = [
    ...title(pageName(command)),
    section("Name"),
    `${roffText(pageName(command))} \\-`,
    ...runningText(nameLine(command)),
    section("Synopsis"),
    ...synopsis(command, program),
    section("Description"),
    ...[command.summary(), ...command.details].flatMap(paragraph).slice(1),
    ...(command === program ? commandList(program) : []),
    ...options(command),
    ...command.sections.flatMap(sectionLines),
    ...environment(command, program),
    ...(command === program ? table("Files", FILES, italic) : []),
    ...table("Exit status", EXIT_CODES, bold),
    ...examples(command),
    ...seeAlso(command, program),
  ];
  return `${lines.join("\n")}\n`;
}

function pageName(command: Command): string {
  return command.parent === null ? command.name() : `${command.parent.name()}-${command.name()}`;
}

/** Follows man-pages(7): no capital at the start, no full stop. */
function nameLine(command: Command): string {
  const text = command.summary();
  return `${text.charAt(0).toLowerCase()}${text.slice(1).replace(/\.$/, "")}`;
}

/** Lines have no hyphens and no equal length, so that names of files and options stay whole. */
function title(name: string): string[] {
  const date = new Date(RELEASED * 1000).toISOString().slice(0, 10);
  const heading = `.TH "${roffText(name.toUpperCase())}" 1 "${date}"`;
  return [`${heading} "denroot ${VERSION}" "User Commands"`, ".nh", ".ad l"];
}

function synopsis(command: DocumentedCommand, program: DocumentedCommand): string[] {
  if (command === program) {
    return [`${bold(program.name())} ${italic("COMMAND")} [${italic("OPTIONS")}] ...`];
  }
  const words = command.shownArguments.map(argumentText);
  return [
    [bold(`${program.name()} ${command.name()}`), `[${italic("OPTIONS")}]`, ...words].join(" "),
  ];
}

function argumentText(argument: Argument): string {
  const name = `${italic(argument.name())}${argument.variadic ? " ..." : ""}`;
  return argument.required ? name : `[${name}]`;
}

function commandList(program: Command): string[] {
  return [
    section("Commands"),
    ...program.commands.flatMap((command) => [
      ...tagged(bold(command.name()), command.summary()),
      `See ${bold(pageName(command))}(1).`,
    ]),
  ];
}

function options(command: DocumentedCommand): string[] {
  const described = command.registeredArguments.filter(({ description }) => description !== "");
  const help = command.createHelp();
  return [
    section("Options"),
    ...described.flatMap((argument) =>
      tagged(italic(argument.name()), sentence(help.argumentDescription(argument)))
    ),
    ...help.visibleOptions(command).flatMap((option) =>
      tagged(optionText(option), sentence(help.optionDescription(option)))
    ),
  ];
}

/** `-a, --arch <ARCH>`: flags are bold, the name of the value is italic. */
function optionText(option: Option): string {
  return option.flags.split(/(<[^>]+>|\[[^\]]+\])/).map((part) => {
    if (part.startsWith("<")) return italic(part.slice(1, -1));
    if (part.startsWith("[")) return `[${italic(part.slice(1, -1))}]`;
    return part.split(/(, | )/).map((word) => word.startsWith("-") ? bold(word) : word).join("");
  }).join("");
}

function sectionLines({ title, rows, literal }: HelpSection): string[] {
  if (!literal) {
    return table(title, rows.map(([term, meaning]) => [term, sentence(meaning)]), bold);
  }
  return [
    section(title),
    ...rows.flatMap(([term, line]) => [".TP", bold(term), ...verbatim([line])]),
  ];
}

function environment(command: Command, program: Command): string[] {
  const rows = ENVIRONMENT.filter(({ commands }) =>
    command === program || commands.includes(command.name())
  );
  return table("Environment", rows.map((row) => [row.name, environmentText(row)]), bold, [
    "The environment wins over enroot.conf, which wins over the files in enroot.conf.d.",
  ]);
}

function environmentText({ meaning, default: standard }: EnvironmentRow): string {
  return standard === undefined ? meaning : `${meaning} Default: ${standard}.`;
}

function table(
  title: string,
  rows: ReadonlyArray<readonly [string, string]>,
  emphasis: (text: string) => string,
  before: readonly string[] = [],
): string[] {
  if (rows.length === 0) return [];
  return [
    section(title),
    ...before.flatMap(runningText),
    ...rows.flatMap(([term, meaning]) => tagged(emphasis(term), meaning)),
  ];
}

function examples({ exampleLines }: DocumentedCommand): string[] {
  if (exampleLines.length === 0) return [];
  return [
    section("Examples"),
    ...verbatim(exampleLines.map((line) => `$ ${line}`)),
  ];
}

function seeAlso(command: Command, program: Command): string[] {
  const others = [program, ...program.commands].filter((other) => other !== command);
  const names = others.map((other) => `${bold(pageName(other))}(1)`);
  return [section("See also"), names.join(",\n")];
}

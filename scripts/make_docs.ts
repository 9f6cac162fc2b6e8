#!/usr/bin/env -S bun
/**
 * Writes the generated tables into README.md and the pages in docs/. A table goes between two lines:
 *
 *     <!-- generated: options import -->
 *     <!-- end -->
 *
 * The tables are `commands`, `options` (for denroot itself), `options COMMAND`, `settings`,
 * `schemes`, `hooks`, `files` and `exit-codes`. They are made from the definitions that the help, `info` and
 * the manual pages show. `performance` is made from docs/performance.json.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { CommandContext } from "../lib/command/common.ts";
import { ENVIRONMENT, EXIT_CODES, FILES } from "../lib/command/manual/manual_tables.ts";
import type { DocumentedCommand } from "../lib/command/help/documented_command.ts";
import { sentence } from "../lib/command/manual/sentence.ts";
import { Progress } from "../lib/command/output/progress.ts";
import { createProgram } from "../lib/command/run_command_line.ts";
import { BUILT_IN_HOOKS } from "../lib/container/hooks/built_in_hooks.ts";
import { ALL_SCHEME_FACTS } from "../lib/reference/scheme_facts.ts";
import type { PerformanceFigures, PerformanceRun } from "./pictures/performance.ts";

const USAGE = `Usage: scripts/make_docs.ts [--check] [DIRECTORY]

Writes the generated tables into README.md and docs/*.md below DIRECTORY, by default this project.
With --check it writes nothing, names the pages that are out of date, and exits 1 if there are any.
`;

interface Page {
  /** The path below the directory. */
  readonly path: string;
  readonly text: string;
  /** The text with the tables of today. */
  readonly filled: string;
}

/** All pages below `directory`. Throws where a page has a marker that makes no sense. */
export function fillPages(directory: string): Page[] {
  const tables = makeTables();
  return pagesBelow(directory).map((path) => {
    const text = readFileSync(join(directory, path), "utf8");
    return { path, text, filled: fillPage(path, text, tables) };
  });
}

/** The page with new tables between its markers. Markers in a block of code are text. */
export function fillPage(path: string, text: string, tables: ReadonlyMap<string, string>): string {
  const filled: string[] = [];
  let openLine: number | undefined;
  let inCode = false;
  for (const [index, line] of text.split("\n").entries()) {
    const fail = (problem: string) => new Error(`${path}, line ${index + 1}: ${problem}`);
    if (openLine === undefined && line.startsWith("```")) inCode = !inCode;
    const name = inCode ? undefined : /^<!-- generated: (.*) -->$/.exec(line)?.[1];
    const isEnd = !inCode && line === "<!-- end -->";
    if (isEnd && openLine === undefined) throw fail("no generated table begins before this end");
    if (isEnd) openLine = undefined;
    if (openLine !== undefined && name === undefined) continue;
    filled.push(line);
    if (name === undefined) continue;
    if (openLine !== undefined) throw fail(`the table from line ${openLine} does not end`);
    openLine = index + 1;
    const table = tables.get(name);
    if (table === undefined) {
      throw fail(`there is no table "${name}"; the tables are ${[...tables.keys()].join(", ")}`);
    }
    filled.push("", table, "");
  }
  if (openLine === undefined) return filled.join("\n");
  throw new Error(`${path}: the table from line ${openLine} does not end`);
}

function pagesBelow(directory: string): string[] {
  const docs = join(directory, "docs");
  const pages = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: "utf8" }) : [];
  return ["README.md", ...pages.map((page) => join("docs", page)).sort()]
    .filter((path) => path.endsWith(".md") && existsSync(join(directory, path)));
}

/** Every table, by the name that markers have for it. */
export function makeTables(): ReadonlyMap<string, string> {
  const program = createProgram(silentContext());
  return new Map([
    ["commands", commandsTable(program)],
    ["options", optionsTable(program)],
    ...program.commands.map((command) =>
      [`options ${command.name()}`, optionsTable(command)] as const
    ),
    ["settings", settingsTable()],
    ["schemes", schemesTable()],
    ["hooks", hooksTable()],
    ["files", table(["File", "Content"], FILES.map(([path, text]) => [code(path), text]))],
    ["exit-codes", table(["Code", "Meaning"], EXIT_CODES.map(([exit, text]) => [exit, text]))],
    ["performance", performanceTable()],
  ]);
}

function performanceTable(): string {
  const file = fileURLToPath(new URL("../docs/performance.json", import.meta.url));
  const { groups }: PerformanceFigures = JSON.parse(readFileSync(file, "utf8"));
  const rows = groups.flatMap(({ title, runs }) =>
    runs.map((run) => [
      run.case.replace(/, \w+'s squash options/, ""),
      title.replace(/'s .*/, ""),
      run.program,
      `${run.seconds.toFixed(1)} s`,
      run.toLimit.toFixed(2),
      processorText(run),
      run.memoryMiB === undefined ? "" : `${run.memoryMiB} MiB`,
    ])
  );
  const head = [
    "Case",
    "Packed as by",
    "Program",
    "Wall",
    "To the limit",
    "Processor",
    "Peak memory",
  ];
  return table(head, rows);
}

/** All time is the own one of enroot, which is a script that runs many programs. */
function processorText({ ownCpuSeconds, otherCpuSeconds }: PerformanceRun): string {
  const others = otherCpuSeconds === 0 ? "" : ` + ${otherCpuSeconds.toFixed(1)}`;
  return `${ownCpuSeconds.toFixed(1)}${others} s`;
}

function commandsTable(program: Command): string {
  const rows = program.commands.map((command) => [
    code(`${program.name()} ${command.name()}${argumentsText(command)}`),
    command.summary(),
  ]);
  return table(["Command", "What it does"], rows);
}

function argumentsText(command: Command): string {
  return (command as DocumentedCommand).shownArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? ` ${name}` : ` [${name}]`;
  }).join("");
}

function optionsTable(command: Command): string {
  const help = command.createHelp();
  const options = help.visibleOptions(command).map((option) => [
    option.flags.split(", ").map((flag) => code(flag.replace(/[<>]/g, ""))).join(", "),
    sentence(help.optionDescription(option)),
  ]);
  return table(["Option", "Meaning"], options);
}

function settingsTable(): string {
  const rows = ENVIRONMENT.map((row) => [
    code(row.name),
    row.isLiteral && row.default !== undefined ? code(row.default) : row.default ?? "",
    row.meaning,
    row.commands.map(code).join(", "),
  ]);
  return table(["Setting", "Default", "Meaning", "Used by"], rows);
}

function schemesTable(): string {
  const rows = ALL_SCHEME_FACTS.flatMap(({ form, meaning, otherForm, example }) => [
    [code(form), meaning, code(example)],
    ...(otherForm === undefined ? [] : [[code(otherForm.form), otherForm.meaning, ""]]),
  ]);
  return table(["URI", "It names", "Example"], rows);
}

function hooksTable(): string {
  const rows = BUILT_IN_HOOKS.map((
    { name, summary, when },
  ) => [code(name), summary, sentence(when)]);
  return table(["Hook", "What it does", "When it runs"], rows);
}

/** A table in the form that `deno fmt` gives it. */
function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = [head, ...body].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const [first, ...rest] = rows.map((row) => line(row.map((cell, at) => cell.padEnd(widths[at]!))));
  return [first, line(widths.map((width) => "-".repeat(width))), ...rest].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

/** The commands are only looked at, so nothing is printed. */
function silentContext(): CommandContext {
  const nothing = () => {};
  return {
    console: {
      programName: "denroot",
      colour: false,
      result: nothing,
      help: nothing,
      log: nothing,
    },
    progress: new Progress({
      write: nothing,
      terminal: false,
      colour: false,
      size: () => ({ columns: 80, rows: 24 }),
      nowMs: () => 0,
    }),
    ask: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    letSignalsGo: () => Promise.resolve(),
  };
}

function main(args: readonly string[]): number {
  const check = args.includes("--check");
  const [directory = fileURLToPath(new URL("..", import.meta.url)), ...more] = args
    .filter((arg) => arg !== "--check");
  if (more.length > 0 || directory.startsWith("-")) {
    process.stderr.write(USAGE);
    return 2;
  }
  const stale = fillPages(directory).filter(({ text, filled }) => text !== filled);
  for (const { path, filled } of stale) {
    if (check) process.stderr.write(`[ERROR] ${path} is out of date; run scripts/make_docs.ts\n`);
    else writeFileSync(join(directory, path), filled);
  }
  return check && stale.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exit(main(process.argv.slice(2)));

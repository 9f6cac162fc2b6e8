/** The parts that commands share: their context, options and help. */

import { InvalidArgumentError, Option } from "commander";
import type { ProgressEvent, Settings } from "../../mod.ts";
import { ALL_SCHEME_FACTS } from "../reference/scheme_facts.ts";
import type { Console } from "./output/console.ts";
import { DocumentedCommand, type HelpSection } from "./help/documented_command.ts";
import type { Progress } from "./output/progress.ts";

export interface CommandContext {
  readonly console: Console;
  readonly progress: Progress;
  /** Asks for a line of text; undefined where there is no terminal, and at the end of input. */
  ask(question: string): Promise<string | undefined>;
  /**
   * Aborts at INT, TERM or HUP. The first access catches these signals: a command that never reads
   * it is ended by them, and one that becomes another program must not read it.
   */
  readonly signal: AbortSignal;
  /** Leaves the signals as they were found, before the command becomes another program after work. */
  readonly letSignalsGo: () => Promise<void>;
}

/** A command with the options that all commands have. `summary` is its line in lists of commands. */
export function newCommand(name: string, summary: string): DocumentedCommand {
  return new DocumentedCommand(name)
    .summary(summary)
    .description(summary)
    .helpOption("-h, --help", "show this help")
    .option("--debug", "show the stack of an error and its causes");
}

/** The settings; the log tells of values that do not mean what they seem to. */
export async function commandSettings({ console }: CommandContext): Promise<Settings> {
  const { loadSettings } = await import("../../mod.ts");
  const settings = await loadSettings();
  for (const { warning } of settings.entries) {
    if (warning !== undefined) console.log("warn", warning);
  }
  return settings;
}

/** The options that all commands hand to the library: settings, progress, and what stops them. */
export async function workOptions(context: CommandContext) {
  return {
    settings: await commandSettings(context),
    onProgress: (event: ProgressEvent) => context.progress.handle(event),
    signal: context.signal,
  };
}

export function architectureOption(): Option {
  return new Option("-a, --arch <ARCH>", "architecture of the image (default: this machine's)")
    .argParser(notEmpty);
}

/** `description` says which name the file gets without it. */
export function outputOption(
  description = 'name of the image file (default: "IMAGE+TAG.sqsh")',
): Option {
  return new Option("-o, --output <FILE>", description).argParser(notEmpty);
}

/** `description` says which name a container gets without it. */
export function nameOption(description: string): Option {
  return new Option("-n, --name <NAME>", description).argParser(notEmpty);
}

/** What may be written for an image. */
export const URI_SECTION: HelpSection = {
  title: "URI",
  rows: ALL_SCHEME_FACTS.flatMap(({ form, meaning, otherForm }) => [
    [form, meaning] as const,
    ...(otherForm === undefined ? [] : [[otherForm.form, otherForm.meaning] as const]),
  ]),
};

/** What may be written for a repository, whose tags can be listed, and for a registry. */
export const REPOSITORY_SECTION: HelpSection = {
  title: "URI",
  rows: [
    ...ALL_SCHEME_FACTS.flatMap(({ repository }) =>
      repository === undefined ? [] : [[repository.form, repository.meaning] as const]
    ),
    ["docker://[USER@]REGISTRY[:PORT]", "a registry alone"],
  ],
};

/** The parser of an option whose text `parse` gives no value for when it breaks the rule. */
export function wellFormed(
  parse: (text: string) => number | undefined,
  complaint: string,
): (text: string) => number {
  return (text) => {
    const value = parse(text);
    if (value === undefined) throw new InvalidArgumentError(complaint);
    return value;
  };
}

/** What is wrong with the value of an option, for {@link wellFormed}. */
export const AGE_FORM = "Write a time, such as 90m, 12h, 30d or 2w.";
export const SIZE_FORM = "Write a size below 8192T, such as 500M or 1.5G.";

/** An option that may be repeated. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, earlier: string[] = []) => {
    if (value === "") throw new InvalidArgumentError("It is empty.");
    return [...earlier, value];
  });
}

function notEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

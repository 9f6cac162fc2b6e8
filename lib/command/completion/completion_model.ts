/** The commands, their options and what may stand for their values: what every shell's script is made of. */

import type { Argument, Command, Option } from "commander";
import { ALL_SCHEME_FACTS } from "../../reference/scheme_facts.ts";

export interface CompletionModel {
  /** The name that the program was called by. */
  readonly program: string;
  readonly root: CommandModel;
  readonly commands: readonly CommandModel[];
}

export interface CommandModel {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionModel[];
  readonly arguments: readonly ArgumentModel[];
}

export interface OptionModel {
  /** `-a`, `--arch`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Of an option that takes one. */
  readonly value?: ValueModel;
}

export interface ArgumentModel {
  readonly value: ValueModel;
  readonly required: boolean;
  readonly variadic: boolean;
}

/** A value: how help calls it, and what can be offered for it. */
export type ValueModel = { readonly name: string } & ValueKind;

export interface Word {
  readonly text: string;
  readonly description?: string;
}

type ValueKind =
  | { readonly kind: "none" | "file" | "directory" }
  | { readonly kind: "words"; readonly words: readonly Word[] }
  /**
   * Beginnings of a word, which goes on after them: with a file's name where `thenFile` is set. What
   * begins otherwise is a file's name.
   */
  | { readonly kind: "beginnings"; readonly beginnings: readonly Beginning[] };

export interface Beginning extends Word {
  readonly thenFile: boolean;
}

/** What a URI may begin with. A path alone begins as it likes. */
const SCHEMES: readonly Beginning[] = ALL_SCHEME_FACTS
  .filter(({ prefix }) => prefix !== "")
  .map(({ prefix, meaning, hasPath = false }) => ({
    text: prefix,
    description: meaning,
    thenFile: hasPath,
  }));

const ARCHITECTURES = [
  "amd64",
  "arm64",
  "x86_64",
  "aarch64",
  "arm/v7",
  "ppc64le",
  "riscv64",
  "s390x",
];

/** What the placeholders in the commands' definitions stand for. */
const PLACEHOLDERS: Readonly<Record<string, ValueKind>> = {
  FILE: { kind: "file" },
  DIRECTORY: { kind: "directory" },
  URI: { kind: "beginnings", beginnings: SCHEMES },
  ARCH: { kind: "words", words: ARCHITECTURES.map((text) => ({ text })) },
};

export function completionModel(program: Command): CompletionModel {
  const commands = program.commands.map((command) => ({
    text: command.name(),
    description: command.summary(),
  }));
  const toModel = (command: Command) => commandModel(command, commands);
  return {
    program: program.name(),
    root: toModel(program),
    commands: program.commands.map(toModel),
  };
}

function commandModel(command: Command, commands: readonly Word[]): CommandModel {
  return {
    name: command.name(),
    summary: command.summary(),
    options: command.createHelp().visibleOptions(command)
      .map((option) => optionModel(option, commands)),
    arguments: command.registeredArguments.map((argument) => argumentModel(argument, commands)),
  };
}

function optionModel(option: Option, commands: readonly Word[]): OptionModel {
  const placeholder = /[<[](.+?)(?:\.{3})?[>\]]/.exec(option.flags)?.[1];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: option.description,
    ...(placeholder !== undefined &&
      { value: valueModel(placeholder, option.argChoices, commands) }),
  };
}

function argumentModel(argument: Argument, commands: readonly Word[]): ArgumentModel {
  return {
    value: valueModel(argument.name(), argument.argChoices, commands),
    required: argument.required,
    variadic: argument.variadic,
  };
}

/** Choices count; without them the placeholder, or the first of `A|B` that is known, says it. */
function valueModel(
  name: string,
  choices: readonly string[] | undefined,
  commands: readonly Word[],
): ValueModel {
  if (choices !== undefined) {
    return { name, kind: "words", words: choices.map((text) => ({ text })) };
  }
  if (name === "COMMAND") return { name, kind: "words", words: commands };
  const known = name.split("|").map((part) => PLACEHOLDERS[part]).find((kind) =>
    kind !== undefined
  );
  return { name, ...(known ?? { kind: "none" }) };
}

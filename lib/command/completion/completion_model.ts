/** The commands, their options and their values, from which the scripts for all shells are made. */

import type { Argument, Command, Option } from "commander";
import { ALL_SCHEME_FACTS } from "../../reference/scheme_facts.ts";

export interface CompletionModel {
  /** The name by which the user called the program. */
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
  /** Undefined for an option without a value. */
  readonly value?: ValueModel;
}

export interface ArgumentModel {
  readonly value: ValueModel;
  readonly required: boolean;
  readonly variadic: boolean;
}

/** A value: its name in the help, and what completion offers for it. */
export type ValueModel = { readonly name: string } & ValueKind;

interface Word {
  readonly text: string;
  readonly description?: string;
}

type ValueKind =
  | { readonly kind: "none" | "file" | "directory" }
  | { readonly kind: "words"; readonly words: readonly Word[] }
  /**
   * A word may begin with one of these. With `thenFile` the name of a file follows. Every other word
   * is the name of a file.
   */
  | { readonly kind: "beginnings"; readonly beginnings: readonly Beginning[] };

export interface Beginning extends Word {
  readonly thenFile: boolean;
}

/** The beginnings of URIs. A path alone has none. */
const SCHEMES: readonly Beginning[] = ALL_SCHEME_FACTS
  .filter(({ prefix }) => prefix !== "")
  .map(({ prefix, meaning, hasPath = false }) => ({
    text: prefix,
    description: meaning,
    thenFile: hasPath,
  }));

/** ostree takes no images. */
const DESTINATIONS = SCHEMES.filter(({ text }) => text !== "ostree:");

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

/** The kinds of values for the placeholders in the commands' definitions. */
const PLACEHOLDERS: Readonly<Record<string, ValueKind>> = {
  FILE: { kind: "file" },
  DIRECTORY: { kind: "directory" },
  URI: { kind: "beginnings", beginnings: SCHEMES },
  SOURCE: { kind: "beginnings", beginnings: SCHEMES },
  DESTINATION: { kind: "beginnings", beginnings: DESTINATIONS },
  PLATFORM: {
    kind: "words",
    words: ARCHITECTURES.filter((name) => !/_|^aarch/.test(name)).map((name) => ({
      text: `linux/${name}`,
    })),
  },
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

/** Choices come first; else the placeholder decides, or the first known one of `A|B`. */
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

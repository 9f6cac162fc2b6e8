/** Reads options in their plain forms without commander, whose loading takes a tenth of a start. */

import type { Command } from "commander";

export interface PlainWords {
  /** By the names that commander gives them. */
  readonly options: Readonly<Record<string, string | readonly string[] | true>>;
  readonly operands: readonly string[];
}

interface PlainOption {
  readonly key: string;
  readonly takesValue: boolean;
  readonly repeats: boolean;
}

/**
 * `define` adds the options as it does to a command. The first operand ends them. Undefined where a
 * word is not plain: commander then says what it means, or what is wrong with it.
 */
export function readPlainWords(
  define: (command: Command) => unknown,
  words: readonly string[],
): PlainWords | undefined {
  const known = new OptionList();
  define(known as unknown as Command);
  const options: Record<string, string | readonly string[] | true> = {};
  let at = 0;
  for (; words[at]?.startsWith("-"); at++) {
    const [, name, ownValue] = /^(--[^=]*)=(.*)$/s.exec(words[at]!) ?? [, words[at]!];
    const option = known.options.get(name!);
    if (option === undefined || (ownValue !== undefined && !option.takesValue)) return undefined;
    const { key, takesValue, repeats } = option;
    if (!takesValue) {
      options[key] = true;
      continue;
    }
    const value = ownValue ?? words[++at];
    if (value === undefined) return undefined;
    options[key] = repeats ? [...(options[key] as readonly string[] ?? []), value] : value;
  }
  return { options, operands: words.slice(at) };
}

/** Takes options as a command does. */
class OptionList {
  readonly options = new Map<string, PlainOption>();

  option(flags: string, _meaning: string, collect?: unknown): this {
    const [, short, long, value] = /^(?:(-\w), )?(--[\w-]+)( <.*)?$/.exec(flags) ?? [];
    if (long === undefined) throw new TypeError(`${flags} is no plain option`);
    const key = long.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const option = { key, takesValue: value !== undefined, repeats: collect !== undefined };
    for (const name of [short, long]) if (name !== undefined) this.options.set(name, option);
    return this;
  }
}

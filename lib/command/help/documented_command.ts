/** A command with all of its help, for `--help`, the manual and the completions. */

import { type Argument, Command } from "commander";

/** A table with a title: what users may write, and what it means. */
export interface HelpSection {
  readonly title: string;
  readonly rows: ReadonlyArray<readonly [term: string, meaning: string]>;
  /** Whether the meanings are command lines or paths, which show as they are. */
  readonly literal?: boolean;
}

export class DocumentedCommand extends Command {
  readonly #details: string[] = [];
  readonly #sections: HelpSection[] = [];
  readonly #exampleLines: string[] = [];
  #shownArguments: readonly Argument[] | undefined;

  constructor(name: string) {
    super(name);
    this.addHelpText("after", () => this.#afterOptions());
  }

  /** The paragraphs after the summary. */
  get details(): readonly string[] {
    return this.#details;
  }

  get sections(): readonly HelpSection[] {
    return this.#sections;
  }

  /** What the synopsis shows. */
  get shownArguments(): readonly Argument[] {
    return this.#shownArguments ?? this.registeredArguments;
  }

  /** For arguments that commander cannot have: several of one kind before another one. */
  showArguments(...shown: readonly Argument[]): this {
    this.#shownArguments = shown;
    const words = shown.map((argument) => `<${argument.name()}${argument.variadic ? "..." : ""}>`);
    return this.usage(`[options] ${words.join(" ")}`);
  }

  /** Whole command lines, with the name by which the user called the program. */
  get exampleLines(): readonly string[] {
    const program = this.parent?.name() ?? this.name();
    return this.#exampleLines.map((line) => `${program} ${line}`);
  }

  /** Adds paragraphs after the summary. */
  explain(...paragraphs: readonly string[]): this {
    this.#details.push(...paragraphs);
    return this.description([this.summary(), ...this.#details].join("\n\n"));
  }

  section(section: HelpSection): this {
    this.#sections.push(section);
    return this;
  }

  /** Adds command lines to the end of the help; they lack the name of the program. */
  examples(...lines: readonly string[]): this {
    this.#exampleLines.push(...lines);
    return this;
  }

  #afterOptions(): string {
    const lines = this.exampleLines;
    const title = `Example${lines.length === 1 ? "" : "s"}`;
    return [
      ...this.#sections.map(sectionText),
      ...(lines.length > 0
        ? [`\n${title}:\n${lines.map((line) => `  $ ${line}`).join("\n")}`]
        : []),
    ].join("\n");
  }
}

const SCREEN_COLUMNS = 80;

/** In two columns if they fit a screen, else with each meaning below its term. */
function sectionText({ title, rows }: HelpSection): string {
  const width = Math.max(...rows.map(([term]) => term.length));
  const fits = rows.every(([, meaning]) => 2 + width + 2 + meaning.length <= SCREEN_COLUMNS);
  const lines = rows.map(([term, meaning]) =>
    fits ? `  ${term.padEnd(width)}  ${meaning}` : `  ${term}\n      ${meaning}`
  );
  return `\n${title}:\n${lines.join("\n")}`;
}

/** A command that knows all of its help, for `--help`, the manual and the completions alike. */

import { Command } from "commander";

/** A titled table: what may be written, and what it means. */
export interface HelpSection {
  readonly title: string;
  readonly rows: ReadonlyArray<readonly [term: string, meaning: string]>;
  /** Whether the meanings are command lines or paths, to be shown as they are. */
  readonly literal?: boolean;
}

export class DocumentedCommand extends Command {
  readonly #details: string[] = [];
  readonly #sections: HelpSection[] = [];
  readonly #exampleLines: string[] = [];

  constructor(name: string) {
    super(name);
    this.addHelpText("after", () => this.#afterOptions());
  }

  /** Paragraphs that follow the summary. */
  get details(): readonly string[] {
    return this.#details;
  }

  get sections(): readonly HelpSection[] {
    return this.#sections;
  }

  /** Whole command lines, with the name that the program was called by. */
  get exampleLines(): readonly string[] {
    const program = this.parent?.name() ?? this.name();
    return this.#exampleLines.map((line) => `${program} ${line}`);
  }

  /** Says more than the summary does: one text for each paragraph. */
  explain(...paragraphs: readonly string[]): this {
    this.#details.push(...paragraphs);
    return this.description([this.summary(), ...this.#details].join("\n\n"));
  }

  section(section: HelpSection): this {
    this.#sections.push(section);
    return this;
  }

  /** Command lines for the end of the help, without the program's name. */
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

/** In two columns where that fits a screen, else the meaning below its term. */
function sectionText({ title, rows }: HelpSection): string {
  const width = Math.max(...rows.map(([term]) => term.length));
  const fits = rows.every(([, meaning]) => 2 + width + 2 + meaning.length <= SCREEN_COLUMNS);
  const lines = rows.map(([term, meaning]) =>
    fits ? `  ${term.padEnd(width)}  ${meaning}` : `  ${term}\n      ${meaning}`
  );
  return `\n${title}:\n${lines.join("\n")}`;
}

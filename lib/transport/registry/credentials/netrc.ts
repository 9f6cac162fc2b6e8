/** The credentials file: netrc, in the way that curl and enroot read it. */

export interface NetrcEntry {
  /** Undefined for `default`, which is for every host. */
  readonly machine?: string | undefined;
  readonly login?: string | undefined;
  readonly password?: string | undefined;
  /** Whether `password` is an expression for the shell (enroot's extension) and not the password. */
  readonly isExpression: boolean;
  /** The line of the word `machine` or `default`, from 1. */
  readonly line: number;
}

/**
 * All entries in the file's order. A value may be quoted, with \" \\ \n \r \t inside. A `#` in the
 * place of a keyword begins a comment. A `macdef` ends at the next empty line. A password that
 * begins with an unquoted `$` goes to the end of its line, because commands contain spaces.
 */
export function parseNetrc(text: string): readonly NetrcEntry[] {
  const reader = new Reader(text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n"));
  const entries: Draft[] = [];
  for (let word = reader.keyword(); word !== undefined; word = reader.keyword()) {
    const { line } = reader;
    const entry = entries.at(-1);
    if (word === "machine") entries.push({ machine: reader.value(), line, isExpression: false });
    else if (word === "default") entries.push({ line, isExpression: false });
    else if (word === "macdef") reader.skipMacro();
    else if (word === "account") reader.value();
    else if (word === "login" && entry) entry.login = reader.value();
    else if (word === "password" && entry) readPassword(reader, entry);
  }
  return entries.filter((entry) => entry.machine !== "");
}

/** A line whose entry no registry can match, and why; without what it says, which may be secret. */
export interface UselessLine {
  readonly line: number;
  readonly reason: string;
}

export function uselessLines(entries: readonly NetrcEntry[]): readonly UselessLine[] {
  return entries.flatMap((entry, index) => {
    const reason = reasonAgainst(entry, entries.slice(0, index));
    return reason === undefined ? [] : [{ line: entry.line, reason }];
  });
}

function reasonAgainst(
  { machine, login, password }: NetrcEntry,
  earlier: readonly NetrcEntry[],
): string | undefined {
  if (machine !== undefined && !/^(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(machine)) {
    return "its machine is not a host's name: it has no https:// and no path";
  }
  if (login === undefined) return "it has no login";
  if (password === undefined) return "it has no password";
  const isSame = (one: NetrcEntry) =>
    one.machine?.toLowerCase() === machine?.toLowerCase() && one.login === login &&
    one.password !== undefined;
  const twin = earlier.find(isSame);
  return twin && `line ${twin.line} is for the same machine and login`;
}

type Draft = { -readonly [Key in keyof NetrcEntry]: NetrcEntry[Key] };

function readPassword(reader: Reader, entry: Draft): void {
  entry.isExpression = reader.isAtExpression();
  if (!entry.isExpression) {
    entry.password = reader.value();
    return;
  }
  const text = reader.restOfLine();
  // In "password $TOKEN login me" the login does not belong to the expression.
  const match = entry.login === undefined ? /^(.*?)\s+login\s+(\S+)\s*$/.exec(text) : null;
  entry.password = match?.[1] ?? text;
  if (match !== null) entry.login = match[2];
}

class Reader {
  /** The line of the last keyword. */
  line = 1;
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  keyword(): string | undefined {
    for (;;) {
      this.#skip(/\s*/y);
      this.line = this.#text.slice(0, this.#position).split("\n").length;
      if (this.#text[this.#position] !== "#") break;
      this.#skip(/[^\n]*/y);
    }
    return this.#skip(/\S+/y);
  }

  /** Empty at the end of the file. */
  value(): string {
    this.#skip(/\s*/y);
    const quoted = this.#skip(/"(?:[^"\\]|\\[^])*"/y);
    if (quoted === undefined) return this.#skip(/\S+/y) ?? "";
    return quoted.slice(1, -1).replace(/\\([^])/g, (_, char: string) => ESCAPES[char] ?? char);
  }

  isAtExpression(): boolean {
    this.#skip(/\s*/y);
    return this.#text[this.#position] === "$";
  }

  restOfLine(): string {
    return (this.#skip(/[^\n]*/y) ?? "").trimEnd();
  }

  skipMacro(): void {
    this.#skip(/[^]*?(?:\n[ \t]*(?=\n)|$(?![^]))/y);
  }

  #skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    this.#position += found?.length ?? 0;
    return found || undefined;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Expands a value from `enroot.conf` as enroot's shell does. */

/** The value cannot be read; `message` says why. */
export class ExpansionError extends Error {}

/** The value uses a variable that is not set; enroot then leaves the setting alone. */
export class UnsetVariable extends Error {
  readonly variable: string;

  constructor(variable: string) {
    super(`${variable} is not set`);
    this.variable = variable;
  }
}

interface ExpansionContext {
  readonly lookUp: (name: string) => string | undefined;
  /** The user's, for `$(id -u)`. */
  readonly userId: number;
  /** Evaluates a value by a real shell, which commands and the rarer expansions need. */
  readonly shell: (value: string) => Promise<string>;
}

/**
 * Expands `value` as `eval echo VALUE` does: quotes, backslashes, `~`, `$NAME`, `${NAME}`,
 * `${NAME:-WORD}`, `$(id -u)`, comments, white space between words. A shell expands other commands and
 * other forms of `${…}`.
 */
export async function expandValue(value: string, context: ExpansionContext): Promise<string> {
  const expanded = expandSimply(withUserId(value, context.userId), context.lookUp);
  return expanded ?? await context.shell(value);
}

/**
 * Paths of most sites have `$(id -u)` in them. Three shells for three paths would take longer than the
 * rest of a command such as list.
 */
function withUserId(text: string, userId: number): string {
  return text.replace(
    /\\.|'[^']*'|\$\(id -u\)/gs,
    (found) => found === "$(id -u)" ? String(userId) : found,
  );
}

/** As {@link expandValue} where that needs no shell; undefined where only a shell knows. */
export function expandSimply(text: string, lookUp: LookUp): string | undefined {
  if (/`|\$\(/.test(text.replace(/\\.|'[^']*'/g, ""))) return undefined;
  let output = "";
  let quoted = false;
  for (let index = 0; index < text.length;) {
    if (text[index] === '"') {
      quoted = !quoted;
      index++;
      continue;
    }
    const atWordStart = output === "" || output.endsWith(" ");
    if (!quoted && atWordStart && text[index] === "#") break;
    const piece = quoted
      ? quotedPiece(text, index, lookUp)
      : plainPiece(text, index, atWordStart, lookUp);
    if (piece === undefined) return undefined;
    output += piece.value;
    index = piece.end;
  }
  if (quoted) throw new ExpansionError("a double quote is not closed");
  return output.trimEnd();
}

type LookUp = ExpansionContext["lookUp"];

/** The value of a piece of text, and the index at which the next piece begins. */
interface Piece {
  readonly value: string;
  readonly end: number;
}

/** Between double quotes. */
function quotedPiece(text: string, index: number, lookUp: LookUp): Piece | undefined {
  const character = text[index]!;
  if (character === "$") return variablePiece(text, index, lookUp);
  if (character !== "\\") return { value: character, end: index + 1 };
  const next = text[index + 1] ?? "";
  return { value: /[$`"\\]/.test(next) ? next : `\\${next}`, end: index + 2 };
}

/** Outside of double quotes. */
function plainPiece(
  text: string,
  index: number,
  atWordStart: boolean,
  lookUp: LookUp,
): Piece | undefined {
  const character = text[index]!;
  switch (character) {
    case "\\":
      return { value: text[index + 1] ?? "", end: index + 2 };
    case "$": {
      const piece = variablePiece(text, index, lookUp);
      return piece && { ...piece, value: piece.value.replace(/[ \t\n]+/g, " ") };
    }
    case "'": {
      const close = text.indexOf("'", index + 1);
      if (close < 0) throw new ExpansionError("a single quote is not closed");
      return { value: text.slice(index + 1, close), end: close + 1 };
    }
    case " ":
    case "\t":
      return { value: atWordStart ? "" : " ", end: index + 1 };
    case "~":
      if (!atWordStart) break;
      // Only a shell knows the homes of other users.
      if (!/^~(?=[/ \t]|$)/.test(text.slice(index))) return undefined;
      return { value: required("HOME", lookUp), end: index + 1 };
  }
  if (/[;|&<>()]/.test(character)) {
    throw new ExpansionError(`"${character}" needs quotes around it`);
  }
  return { value: character, end: index + 1 };
}

function variablePiece(text: string, index: number, lookUp: LookUp): Piece | undefined {
  const variable = readVariable(text, index);
  if (variable === undefined) return undefined;
  const value = valueOf(variable, lookUp);
  return value === undefined ? undefined : { value, end: variable.end };
}

interface Variable {
  readonly name: string;
  /** `:-` or `-`; the word then counts where the variable is missing. */
  readonly operator?: string | undefined;
  readonly word: string;
  readonly end: number;
}

/** The variable that begins with `$` at `start`. A single `$` without a variable has an empty name. */
function readVariable(text: string, start: number): Variable | undefined {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text.slice(start));
  if (plain !== null) return { name: plain[1]!, word: "", end: start + plain[0].length };
  if (text[start + 1] !== "{") {
    return /[0-9@*#?$!-]/.test(text[start + 1] ?? "")
      ? undefined
      : { name: "", word: "", end: start + 1 };
  }
  const close = closingBrace(text, start + 2);
  const inside = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)(.*))?$/s.exec(text.slice(start + 2, close));
  if (inside === null) return undefined;
  return { name: inside[1]!, operator: inside[2], word: inside[3] ?? "", end: close + 1 };
}

function closingBrace(text: string, start: number): number {
  let depth = 1;
  for (let index = start; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === "{" && text[index - 1] === "$") depth++;
    else if (text[index] === "}" && --depth === 0) return index;
  }
  throw new ExpansionError('"${" is not closed');
}

function valueOf(variable: Variable, lookUp: LookUp): string | undefined {
  if (variable.name === "") return "$";
  const value = lookUp(variable.name);
  if (variable.operator === undefined) return required(variable.name, lookUp);
  const missing = value === undefined || (variable.operator === ":-" && value === "");
  return missing ? expandSimply(variable.word, lookUp) : value;
}

function required(name: string, lookUp: LookUp): string {
  const value = lookUp(name);
  if (value === undefined) throw new UnsetVariable(name);
  return value;
}

/** What enroot's shell would make of a value in `enroot.conf`. */

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

export interface ExpansionContext {
  readonly lookUp: (name: string) => string | undefined;
  /** Evaluates a value by a real shell: commands and the rarer expansions need one. */
  readonly shell: (value: string) => Promise<string>;
}

/**
 * Expands as `eval echo VALUE` does: quotes, backslashes, `~`, `$NAME`, `${NAME}`, `${NAME:-WORD}`,
 * comments, white space between words. `$(command)`, backticks and other forms of `${…}` go to
 * the shell.
 */
export async function expandValue(value: string, context: ExpansionContext): Promise<string> {
  const expanded = expandSimply(value, context.lookUp);
  return expanded ?? await context.shell(value);
}

/** As {@link expandValue} where that needs no shell; undefined when only a shell can tell. */
export function expandSimply(
  text: string,
  lookUp: (name: string) => string | undefined,
): string | undefined {
  if (/`|\$\(/.test(text.replace(/\\.|'[^']*'/g, ""))) return undefined;
  let output = "";
  let index = 0;
  let quoted = false;
  const atWordStart = () => output === "" || output.endsWith(" ");

  while (index < text.length) {
    const character = text[index]!;
    if (character === "\\") {
      const next = text[index + 1] ?? "";
      output += quoted && !/[$`"\\]/.test(next) ? `\\${next}` : next;
      index += 2;
    } else if (character === '"') {
      quoted = !quoted;
      index++;
    } else if (character === "$") {
      const found = readVariable(text, index);
      if (found === undefined) return undefined;
      const inserted = valueOf(found, lookUp);
      if (inserted === undefined) return undefined;
      output += quoted ? inserted : inserted.replace(/[ \t\n]+/g, " ");
      index = found.end;
    } else if (quoted) {
      output += character;
      index++;
    } else if (character === "'") {
      const close = text.indexOf("'", index + 1);
      if (close < 0) throw new ExpansionError("a single quote is not closed");
      output += text.slice(index + 1, close);
      index = close + 1;
    } else if (character === " " || character === "\t") {
      if (!atWordStart()) output += " ";
      index++;
    } else if (character === "#" && atWordStart()) {
      break;
    } else if (character === "~" && atWordStart()) {
      if (!/^~(?=[/ \t]|$)/.test(text.slice(index))) return undefined;
      output += required("HOME", lookUp);
      index++;
    } else if (/[;|&<>()]/.test(character)) {
      throw new ExpansionError(`"${character}" needs quotes around it`);
    } else {
      output += character;
      index++;
    }
  }
  if (quoted) throw new ExpansionError("a double quote is not closed");
  return output.trimEnd();
}

interface Variable {
  readonly name: string;
  /** `:-` or `-`, with the word to take instead. */
  readonly operator?: string;
  readonly word: string;
  readonly end: number;
}

/** The variable that begins with the `$` at `start`; a lone `$` has no name. */
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

function valueOf(
  variable: Variable,
  lookUp: (name: string) => string | undefined,
): string | undefined {
  if (variable.name === "") return "$";
  const value = lookUp(variable.name);
  if (variable.operator === undefined) return required(variable.name, lookUp);
  const missing = value === undefined || (variable.operator === ":-" && value === "");
  return missing ? expandSimply(variable.word, lookUp) : value;
}

function required(name: string, lookUp: (name: string) => string | undefined): string {
  const value = lookUp(name);
  if (value === undefined) throw new UnsetVariable(name);
  return value;
}

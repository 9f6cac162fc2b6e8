/** Parses environment files: one `NAME=VALUE` a line. */

import { expandReferences, type LookUp } from "./expand_references.ts";

/** A variable as a file gives it. */
export interface EnvironmentLine {
  readonly name: string;
  readonly value: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Gives the variables of a file in their order; the last one of a name counts. Leading blanks do not
 * count, and a pair of quotes around a value is taken away. Comments, `ENROOT_*` and what is no
 * assignment is left out, as in enroot.
 *
 * With `lookUp`, `${NAME}` stands for the host's value, and so does `$NAME` where it is the whole
 * value of the variable of the same name: the first enroot's images say `DISPLAY=$DISPLAY`. All other
 * `$` stay. A host's value is taken as it is: neither its line breaks nor its quotes mean anything.
 */
export function parseEnvironment(text: string, lookUp?: LookUp): readonly EnvironmentLine[] {
  return text.split("\n").flatMap((line) => parseAssignment(line, lookUp) ?? []);
}

/**
 * Parses the file of `--env-file`: as {@link parseEnvironment} does, and a line that is a name alone
 * stands for the host's value.
 */
export function parseEnvironmentOption(text: string, lookUp: LookUp): readonly EnvironmentLine[] {
  return text.split("\n").flatMap((line) => {
    const name = line.trim();
    const isName = NAME.test(name) && !isReserved(name);
    return isName ? { name, value: lookUp(name) ?? "" } : parseAssignment(line, lookUp) ?? [];
  });
}

/**
 * Parses the words of `--env`: `NAME=VALUE`, or `NAME` for the host's value, which is empty where it
 * is not set. Undefined where the name is not one of a variable.
 */
export function parseVariable(word: string, lookUp: LookUp): EnvironmentLine | undefined {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  if (!NAME.test(name)) return undefined;
  return { name, value: equals < 0 ? lookUp(name) ?? "" : withoutQuotes(word.slice(equals + 1)) };
}

/** Whether a variable is enroot's own, which no container gets. */
export function isReserved(name: string): boolean {
  return name.startsWith("ENROOT_");
}

function parseAssignment(line: string, lookUp: LookUp | undefined): EnvironmentLine | undefined {
  const assignment = /^\s*([^\s#=][^=]*)=(.*)$/s.exec(line);
  if (assignment === null || line.includes("\0")) return undefined;
  const [, rawName, rawValue] = assignment as unknown as [string, string, string];
  const name = lookUp === undefined ? rawName : expandReferences(rawName, lookUp);
  if (!NAME.test(name) || isReserved(name)) return undefined;
  const value = withoutQuotes(rawValue);
  if (lookUp === undefined) return { name, value };
  if (value === `$${name}`) return { name, value: lookUp(name) ?? "" };
  return { name, value: expandReferences(value, lookUp) };
}

/** The two quotes need not be of the same kind. Blanks behind the last one do not count. */
function withoutQuotes(value: string): string {
  return /^["'](.*)["']\s*$/s.exec(value)?.[1] ?? value;
}

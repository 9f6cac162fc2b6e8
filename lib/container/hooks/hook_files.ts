/**
 * The two files that scripts see and change: the container's environment, and mounts to be made.
 * Lines that a script leaves alone keep what they stand for, with its origin.
 */

import { parseEnvironment } from "../../enroot/parse_environment.ts";
import { FstabError, fstabLines, parseFstabLine } from "../../enroot/parse_fstab.ts";
import { DenrootError } from "../../errors.ts";
import type { MountLine, PlannedMount, PlannedVariable } from "../../types/container.ts";

/** The text of an environment file. A value with a line break cannot stand in it. */
export function environmentText(variables: readonly PlannedVariable[]): string {
  return variables.flatMap((variable) => environmentLine(variable) ?? [])
    .map((line) => `${line}\n`).join("");
}

/** What `text` says after a script had it; new variables come from `origin`. */
export function changedVariables(
  before: readonly PlannedVariable[],
  text: string,
  origin: string,
): readonly PlannedVariable[] {
  const kept = before.filter((variable) => environmentLine(variable) === undefined);
  const known = new Map(before.map((variable) => [environmentLine(variable), variable]));
  const own = text.split("\n").flatMap((line) =>
    known.get(line) ?? parseEnvironment(line).map((variable) => ({ ...variable, origin }))
  );
  return lastOfEachName([...kept, ...own]);
}

/** A variable that is given twice has the later value. */
export function lastOfEachName(variables: readonly PlannedVariable[]): readonly PlannedVariable[] {
  return [...new Map(variables.map((variable) => [variable.name, variable])).values()];
}

function environmentLine({ name, value }: PlannedVariable): string | undefined {
  return /[\n\0]/.test(value) ? undefined : `${name}=${value}`;
}

/** The text of a mount table. */
export function mountsText(mounts: readonly MountLine[]): string {
  return mounts.map((mount) => `${fstabLine(mount)}\n`).join("");
}

/**
 * As {@link changedVariables}, for mounts. Lines with another pass than 0 have no effect. Throws code
 * `settings` for a line that breaks a rule.
 */
export function changedMounts(
  before: readonly PlannedMount[],
  text: string,
  origin: string,
): readonly PlannedMount[] {
  const known = new Map(before.map((mount) => [fstabLine(mount), mount]));
  return fstabLines(text).flatMap(({ text: line }) => {
    const mount = known.get(line) ?? parseLine(line, origin);
    return mount?.pass === 0 ? [{ origin, ...mount }] : [];
  });
}

function parseLine(line: string, origin: string): MountLine | undefined {
  try {
    return parseFstabLine(line);
  } catch (error) {
    if (!(error instanceof FstabError)) throw error;
    const message = `${origin} asks for a mount that cannot be made: ${error.message}`;
    throw new DenrootError("settings", message, { cause: error, hint: `The line is: ${line}` });
  }
}

function fstabLine({ source, target, type, options }: MountLine): string {
  const fields = [source, target, type, options.join(",") || "defaults"];
  return `${fields.map(escapeField).join(" ")} 0 0`;
}

/** As fstab(5) has it: these characters stand as octal numbers. */
function escapeField(field: string): string {
  return field.replace(
    /[\s\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

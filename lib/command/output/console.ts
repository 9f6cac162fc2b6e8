/** Commands print through this: results to standard output, everything else to standard error. */

import { styleText } from "node:util";
import type { DenrootError } from "../../../mod.ts";
import { printableLine, printableText } from "../../text/printable.ts";
import { redact } from "../../text/redact.ts";

export interface Console {
  readonly programName: string;
  /** Whether results may have colours. */
  readonly colour: boolean;
  /** Prints a result to standard output and adds a line break. */
  result(text: string): void;
  /** Prints help to standard output, as it is. */
  help(text: string): void;
  log(level: "info" | "warn", message: string): void;
}

interface ErrorStyle {
  readonly colour: boolean;
  /** Whether the stack and the causes of an error show. */
  readonly debug: boolean;
}

type Level = "info" | "warn" | "error";

const COLOURS = { info: "blueBright", warn: "yellow", error: "red" } as const;

/** `[INFO] …`: one line, with a colour on a terminal. */
export function logLine(level: Level, message: string, colour: boolean): string {
  return `${logPrefix(level, colour)} ${printableLine(redact(message))}\n`;
}

/** `[ERROR] what happened`, then the hint; with `debug` also the stack and the causes. */
export function errorText(error: unknown, style: ErrorStyle): string {
  const known = asKnownError(error);
  const message = known?.message ??
    `Unexpected failure: ${error instanceof Error ? error.message : String(error)}`;
  const hint = known === undefined
    ? "This is a mistake in denroot; please report the output of --debug"
    : known.hint;
  const lines = [`${logPrefix("error", style.colour)} ${printableText(redact(message))}`];
  if (hint !== undefined) lines.push(`        ${printableText(redact(hint))}`);
  if (style.debug) lines.push(...stackLines(error));
  return `${lines.join("\n")}\n`;
}

/** The name decides, not the class: an error may come from another copy of the module. */
export function asKnownError(error: unknown): DenrootError | undefined {
  return error instanceof Error && error.name === "DenrootError"
    ? error as DenrootError
    : undefined;
}

function logPrefix(level: Level, colour: boolean): string {
  const prefix = `[${level.toUpperCase()}]`;
  return colour ? styleText(COLOURS[level], prefix, { validateStream: false }) : prefix;
}

function stackLines(error: unknown): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let current = error; current !== undefined && current !== null && !seen.has(current);) {
    seen.add(current);
    const text = current instanceof Error ? current.stack ?? String(current) : String(current);
    lines.push(`        ${lines.length === 0 ? "" : "caused by: "}${printableText(redact(text))}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines;
}

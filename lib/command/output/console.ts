/** What commands print through: results to standard output, all else to standard error. */

import { styleText } from "node:util";
import type { DenrootError } from "../../../mod.ts";
import { printableLine, printableText } from "../../text/printable.ts";

export interface Console {
  readonly programName: string;
  /** Whether results may be coloured. */
  readonly colour: boolean;
  /** A result, for standard output; a line break is added. */
  result(text: string): void;
  /** Help that was asked for, for standard output as it is. */
  help(text: string): void;
  log(level: "info" | "warn", message: string): void;
}

export interface ErrorStyle {
  readonly colour: boolean;
  /** Adds the stack and what caused the error. */
  readonly debug: boolean;
}

type Level = "info" | "warn" | "error";

const COLOURS = { info: "blueBright", warn: "yellow", error: "red" } as const;

/** `[INFO] …`: one line, coloured where a person looks. */
export function logLine(level: Level, message: string, colour: boolean): string {
  return `${logPrefix(level, colour)} ${printableLine(message)}\n`;
}

/** `[ERROR] what happened`, then what to do about it; with `debug`, the stack and its causes. */
export function errorText(error: unknown, style: ErrorStyle): string {
  const known = asKnownError(error);
  const message = known?.message ??
    `Unexpected failure: ${error instanceof Error ? error.message : String(error)}`;
  const hint = known === undefined
    ? "This is a mistake in denroot; please report what --debug prints"
    : known.hint;
  const lines = [`${logPrefix("error", style.colour)} ${printableText(message)}`];
  if (hint !== undefined) lines.push(`        ${printableText(hint)}`);
  if (style.debug) lines.push(...stackLines(error));
  return `${lines.join("\n")}\n`;
}

/** By name, not by class: an error may come from a worker or another copy of the module. */
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
    lines.push(`        ${lines.length === 0 ? "" : "caused by: "}${printableText(text)}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines;
}

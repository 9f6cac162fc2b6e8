/** What the commands have in common: their surroundings, options and help. */

import { Command, InvalidArgumentError, Option } from "commander";
import type { Console } from "./console.ts";
import type { Progress } from "./progress.ts";

export interface CommandContext {
  readonly console: Console;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A command with the options that all of them have. */
export function newCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .helpOption("-h, --help", "show this help")
    .option("--debug", "show the stack of an error and what caused it");
}

export function architectureOption(): Option {
  return new Option("-a, --arch <ARCH>", "architecture of the image (default: this machine's)")
    .argParser(notEmpty);
}

export function outputOption(): Option {
  return new Option("-o, --output <FILE>", 'name of the image file (default: "IMAGE+TAG.sqsh")')
    .argParser(notEmpty);
}

export const URI_HELP = `
URI:
  docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]  an image in a registry
  docker://[USER@]REGISTRY/IMAGE[:TAG][@DIGEST]    the same, as Docker writes it
  oci:PATH[:TAG]                                   an image in an OCI layout directory`;

/** Command lines for the end of a help text. */
export function examples(programName: string, lines: readonly string[]): string {
  const text = lines.map((line) => `  $ ${programName} ${line}\n`).join("");
  return `\nExample${lines.length === 1 ? "" : "s"}:\n${text}`;
}

function notEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

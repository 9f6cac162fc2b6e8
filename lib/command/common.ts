/** What the commands have in common: their surroundings, options and help. */

import { InvalidArgumentError, Option } from "commander";
import type { Console } from "./output/console.ts";
import { DocumentedCommand, type HelpSection } from "./help/documented_command.ts";
import type { Progress } from "./output/progress.ts";

export interface CommandContext {
  readonly console: Console;
  readonly progress: Progress;
  /**
   * Aborts at INT, TERM or HUP. The first access catches these signals: a command that never reads
   * it is ended by them, and one that becomes another program must not read it.
   */
  readonly signal: AbortSignal;
}

/** A command with the options that all of them have. `summary` is its line in lists of commands. */
export function newCommand(name: string, summary: string): DocumentedCommand {
  return new DocumentedCommand(name)
    .summary(summary)
    .description(summary)
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

export const URI_SECTION: HelpSection = {
  title: "URI",
  rows: [
    ["docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]", "an image in a registry"],
    ["docker://[USER@]REGISTRY/IMAGE[:TAG][@DIGEST]", "the same, as Docker writes it"],
    ["oci:PATH[:TAG|@DIGEST|:@INDEX]", "an OCI layout directory"],
    ["oci-archive:PATH[:TAG|@DIGEST|:@INDEX]", "the same in a tar file"],
    ["docker-archive:PATH[:IMAGE|:@INDEX]", "from docker or podman save"],
    ["dir:PATH", "a directory of skopeo copy"],
    ["dockerd://IMAGE", "an image of the Docker daemon"],
    ["docker-daemon:IMAGE|sha256:ID", "the same, as skopeo writes it"],
    ["podman://IMAGE", "an image of podman"],
    ["containers-storage:[[DRIVER@]ROOT]IMAGE", "podman's, by its files alone"],
    ["ostree:IMAGE[:TAG][@/REPOSITORY]", "an image in ostree"],
    ["PATH", "a file or directory of these"],
  ],
};

function notEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

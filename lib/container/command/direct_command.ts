/** Decides what to execute in a container that has no shell. */

import { posix } from "node:path";
import {
  type CommandScript,
  doesNothing,
  parseCommandScript,
  runsArgumentsAlone,
} from "../../enroot/parse_command_script.ts";
import { DenrootError } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { PlannedCommand } from "../../types/container.ts";
import type { ContainerFiles } from "./container_files.ts";

interface DirectFacts {
  readonly command: readonly string[];
  readonly rc: string | undefined;
  readonly workdir?: string | undefined;
  readonly directory: string;
  readonly variables: ReadonlyMap<string, string>;
  readonly files: ContainerFiles;
}

/**
 * What enroot's and denroot's own command scripts do needs no shell. Throws code `unsupported` for
 * other scripts, and code `not_found` for a program that is missing.
 */
export function directCommand(
  facts: DirectFacts,
): Pick<PlannedCommand, "path" | "argv" | "directory"> {
  const { rc, command, files } = facts;
  const script = rc === undefined ? undefined : parseCommandScript(files.text(rc) ?? "");
  if (rc !== undefined && script === undefined) throw needsShell(`its command script ${rc}`);
  const argv = script === undefined ? command : argvOf(script, facts);
  const [program] = argv;
  if (program === undefined) throw needsShell("a start without a command");
  const directory = facts.workdir ?? script?.directory ?? facts.directory;
  return { path: programPath(program, directory, facts), argv, directory };
}

/** `/etc/rc.local`, which the script would read, may drop the entrypoint. */
function argvOf(
  { entrypoint, command }: CommandScript,
  { command: given, files }: DirectFacts,
): readonly string[] {
  const local = files.text("/etc/rc.local") ?? "";
  if (runsArgumentsAlone(local)) return given;
  if (!doesNothing(local)) throw needsShell("/etc/rc.local");
  return [...entrypoint, ...(given.length > 0 ? given : command)];
}

function programPath(
  program: string,
  directory: string,
  { variables, files }: DirectFacts,
): string {
  if (program.includes("/")) return posix.resolve(directory, program);
  const path = (variables.get("PATH") ?? "").split(":").filter((place) => posix.isAbsolute(place))
    .map((place) => posix.join(place, program))
    .find((candidate) => files.isExecutable(candidate));
  if (path !== undefined) return path;
  throw new DenrootError("not_found", `The container has no program ${quotePath(program)}`, {
    hint: "The variable PATH names the directories in which it is looked for",
  });
}

function needsShell(what: string): DenrootError {
  return new DenrootError("unsupported", `The container has no shell, and ${what} needs one`, {
    hint: "Give a program of the container and its arguments as the command",
  });
}

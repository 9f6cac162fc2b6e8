/** Facts about a container in memory. */

import type { ContainerFiles } from "../../../lib/container/command/container_files.ts";
import type { CommandFacts } from "../../../lib/container/command/plan_command.ts";

type Texts = Readonly<Record<string, string>>;

/** `programs` are files that are executable. */
export function containerFilesOf(texts: Texts, programs: readonly string[]): ContainerFiles {
  return {
    text: (path) => texts[path],
    exists: (path) => path in texts || programs.includes(path),
    isExecutable: (path) => programs.includes(path),
  };
}

interface Given extends Partial<Omit<CommandFacts, "files" | "variables">> {
  readonly variables?: Texts;
  readonly texts?: Texts;
  readonly programs?: readonly string[];
}

export function commandFacts(given: Given = {}): CommandFacts {
  const { variables = {}, texts = {}, programs = ["/bin/sh"], ...rest } = given;
  return {
    loginShell: false,
    insideUid: 1000,
    outsideUid: 1000,
    umask: 0o022,
    command: [],
    ...rest,
    variables: new Map(Object.entries(variables)),
    files: containerFilesOf(texts, programs),
  };
}

/** Programs that denroot carries, in the file system that only one container has. */

import { existsSync, renameSync, writeFileSync } from "node:fs";
import { enterProgram } from "../../tools/enter_program.ts";
import { tendedWords } from "../../tools/tended_words.ts";

/**
 * Puts the program into `directory`, unless it is there, and gives its path. A system's settings may
 * forbid programs in memory and on its disks; a file system that denroot has mounted runs them.
 */
export function putProgram(directory: string, name: string, content: () => Uint8Array): string {
  const path = `${directory}/${name}`;
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, content(), { mode: 0o700 });
    renameSync(`${path}.new`, path);
  }
  return path;
}

/** A command, and the arguments for it. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * The command as one that ends with this process at the latest, and all with it that it has started: even
 * what sleeps in a script does not outlive a start that is killed. `runtimePath` is the container's own.
 */
export function tendedCommand(runtimePath: string, { program, args }: Command): Command {
  return {
    program: putProgram(runtimePath, "enter", enterProgram),
    args: tendedWords(program, program, args),
  };
}

/** How `enter` is told to run a program that ends with this process. */

import process from "node:process";

/**
 * The words for `enter`: it ends the program, with all that this has started, when this process ends.
 * Not even KILL then leaves the program behind.
 */
export function tendedWords(program: string, name: string, args: readonly string[]): string[] {
  const failed = `say=[ERROR] ${program} cannot be run`;
  return [`tend=${process.pid}`, failed, `exec=${program}`, name, ...args];
}

/** A child that is known to run, and goes on running. */

import { type Child, type ChildOptions, spawnChild } from "./spawn_child.ts";

/** As {@link spawnChild}, but rejects when the program cannot be started. */
export async function startChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<Child> {
  const child = spawnChild(command, args, options);
  await child.started;
  return child;
}

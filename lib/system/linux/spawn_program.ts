/** A child process that gets chosen descriptors, whatever the runtime thinks of them. */

import { check, cString, libc, stringArray } from "./libc_calls.ts";
import { inheritedEnvironment } from "./execute.ts";
import { SystemError } from "./system_error.ts";

/** More than `posix_spawn_file_actions_t` needs with any libc. */
const FILE_ACTIONS_SIZE = 256;
/** Descriptors are first copied up here, out of each other's way. */
const ASIDE = 100;

/**
 * Runs a program with the environment of this process, and waits for its end. `descriptors` become
 * its 0, 1, 2, and so on. Gives the exit status, or 128 and the signal's number. Throws
 * {@link SystemError} when the program cannot be run.
 *
 * The runtimes' own ways do not do: Deno hands over no descriptors beyond the standard ones.
 */
export function spawnProgram(
  path: string,
  argv: readonly string[],
  descriptors: readonly number[],
): number {
  const actions = new Uint8Array(FILE_ACTIONS_SIZE);
  libc().posix_spawn_file_actions_init(actions);
  for (const [index, descriptor] of descriptors.entries()) {
    libc().posix_spawn_file_actions_adddup2(actions, descriptor, ASIDE + index);
  }
  for (const index of descriptors.keys()) {
    libc().posix_spawn_file_actions_adddup2(actions, ASIDE + index, index);
    libc().posix_spawn_file_actions_addclose(actions, ASIDE + index);
  }
  const pid = new Int32Array(1);
  const error = libc().posix_spawn(
    pid,
    cString(path),
    actions,
    0,
    stringArray(argv),
    stringArray(inheritedEnvironment()),
  );
  if (error !== 0) throw new SystemError(`run ${path}`, error);
  const status = new Int32Array(1);
  check(libc().waitpid(pid[0]!, status, 0), "waitpid");
  const signal = status[0]! & 0x7f;
  return signal === 0 ? (status[0]! >> 8) & 0xff : 128 + signal;
}

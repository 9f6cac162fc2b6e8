/** Becomes a process of a container that runs, as `exec` is told. */

import type { Command } from "commander";
import { readPlainWords } from "./plain_words.ts";
import { append } from "./start_options.ts";

export interface ExecWords {
  readonly env?: readonly string[];
}

export function addExecOptions<Kind extends Command>(command: Kind): Kind {
  return command
    .option("-e, --env <KEY=VALUE>", "set a variable; KEY alone takes the host's value", append);
}

/** What `exec WORDS` does where the words are plain. */
export function plainExec(words: readonly string[]): (() => Promise<void>) | undefined {
  const plain = readPlainWords(addExecOptions, words);
  const [pid, program, ...args] = plain?.operands ?? [];
  if (plain === undefined || pid === undefined || program === undefined) return undefined;
  return () => runExec(pid, [program, ...args], plain.options);
}

export async function runExec(
  pid: string,
  command: readonly [string, ...string[]],
  { env = [] }: ExecWords,
): Promise<void> {
  // The rest of the library would take longer to load than the command to begin.
  const [{ loadSettings }, { becomeMember }] = await Promise.all([
    import("../config/settings.ts"),
    import("../container/exec/become_member.ts"),
  ]);
  await becomeMember(pid, { command, environment: env, settings: await loadSettings() });
}

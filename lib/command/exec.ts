/** `exec`: becomes a process of a container that runs. */

import type { Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";
import { append } from "./start_options.ts";

export function execCommand(_context: CommandContext): Command {
  return newCommand("exec", "Run a command in a container that runs.")
    .argument("<PID>", "a process of the container")
    .argument("<COMMAND...>", "the command and its arguments")
    .option("-e, --env <KEY[=VALUE]>", "set a variable, or take the host's value", append)
    .examples("exec 4711 bash", "exec -e DEBUG=1 4711 ps aux")
    .passThroughOptions()
    .action((pid, command, options) => runExec(pid, command, options));
}

interface Options {
  readonly env?: string[];
}

async function runExec(
  pid: string,
  command: [string, ...string[]],
  { env = [] }: Options,
): Promise<void> {
  // The rest of the library would take longer to load than the command to begin.
  const [{ loadSettings }, { becomeMember }] = await Promise.all([
    import("../config/settings.ts"),
    import("../container/exec/become_member.ts"),
  ]);
  await becomeMember(pid, { command, environment: env, settings: await loadSettings() });
}

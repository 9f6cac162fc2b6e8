/** `start`: becomes a container. */

import type { Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";

export function startCommand(context: CommandContext): Command {
  return newCommand("start", "Start a container and run a command in it.")
    .explain(
      "The container's own start script runs the command; without one, that script decides what " +
        "runs. denroot becomes the container, and so no process of it stays.",
    )
    .argument("<NAME>", "the container's name, or an image file")
    .argument("[COMMAND...]", "the command and its arguments")
    .option("-c, --conf <FILE>", "a script with the functions environ, mounts, hooks and rc")
    .option("-e, --env <KEY=VALUE>", "set a variable; KEY alone takes the host's value", append)
    .option("--env-file <FILE>", "set the variables that a file names, a line for each", append)
    .option("-m, --mount <FSTAB>", "mount something, with : between the fields", append)
    .option("--rc <FILE>", "a script that runs instead of the container's start script")
    .option("-r, --root", "be root inside the container")
    .option("--workdir <DIR>", "the directory in the container in which the command starts")
    .option("-w, --rw", "let the container write to its root file system")
    .option("--pid", "the container sees only its own processes")
    .option("--net", "the container has a network of its own with a loopback alone")
    .option("--ipc", "the container has shared memory and message queues of its own")
    .option("--uts", "the container has a host name of its own")
    .option("--unpack", "unpack an image file into a temporary directory instead of mounting it")
    .option("--dry-run", "print the mounts, the environment, the hooks and the command alone")
    .option("--json", "print them as JSON")
    .examples("start ubuntu", "start -r -w ubuntu apt-get update", "start -m /data ubuntu ls /data")
    .passThroughOptions()
    .action((name, command, options) => {
      warnOfMisplaced(command, context);
      return runStart(name, command, options);
    });
}

/** Options of `start` that hardly any program of a container has as its first argument. */
const UNMISTAKABLE =
  /^(?:-w|-r|--(?:rw|root|mount|env|env-file|conf|rc|workdir|pid|net|ipc|uts|unpack|dry-run)(?:=.*)?)$/s;

/** As in enroot, what stands behind the name belongs to the command. */
function warnOfMisplaced([first]: readonly string[], { console }: CommandContext): void {
  if (first === undefined || !UNMISTAKABLE.test(first)) return;
  const [option] = first.split("=");
  console.log(
    "warn",
    `${option} stands behind the container's name, so the container's command gets it. ` +
      "Write options of start before the name",
  );
}

interface Options {
  readonly conf?: string;
  readonly env?: string[];
  readonly envFile?: string[];
  readonly mount?: string[];
  readonly rc?: string;
  readonly workdir?: string;
  readonly root?: boolean;
  readonly rw?: boolean;
  readonly pid?: boolean;
  readonly net?: boolean;
  readonly ipc?: boolean;
  readonly uts?: boolean;
  readonly unpack?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

async function runStart(name: string, command: string[], options: Options): Promise<void> {
  // The rest of the library would take longer to load than the container to start.
  const [{ scriptSettings }, { startRequest }, { becomeContainer }] = await Promise.all([
    import("../container/start/script_settings.ts"),
    import("../container/start/start_request.ts"),
    import("../container/start/become_container.ts"),
  ]);
  const settings = await scriptSettings(options.conf);
  const request = startRequest(name, {
    command,
    environment: options.env ?? [],
    environmentFiles: options.envFile ?? [],
    mounts: options.mount ?? [],
    configScript: options.conf,
    rc: options.rc,
    workdir: options.workdir,
    remapRoot: options.root,
    writable: options.rw,
    pid: options.pid,
    net: options.net,
    ipc: options.ipc,
    uts: options.uts,
    unpack: options.unpack,
    dryRun: options.dryRun ? (options.json ? "json" : "text") : undefined,
    settings,
  });
  await becomeContainer(request, settings);
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

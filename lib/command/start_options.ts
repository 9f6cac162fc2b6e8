/** The options of the commands that start a container. */

import type { Command } from "commander";
import type { StartOptions } from "../../mod.ts";
import { DenrootError } from "../errors.ts";

/** As the command line gives them. */
export interface StartWords {
  readonly conf?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly mount?: readonly string[];
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

export function addStartOptions<Kind extends Command>(command: Kind): Kind {
  return command
    .option("-c, --conf <FILE>", "a script with the functions environ, mounts, hooks and rc")
    .option("-e, --env <KEY[=VALUE]>", "set a variable, or take the host's value", append)
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
    .option("--unpack", "unpack an image file into memory instead of mounting it")
    .option("--dry-run", "print the mounts, the environment, the hooks and the command alone");
}

/** What the words ask of a start. Throws code `usage` for `--json` where nothing would be printed. */
export function startOptionsOf(words: StartWords): Omit<StartOptions, "settings" | "command"> {
  if (words.json && !words.dryRun) {
    throw new DenrootError("usage", "--json needs --dry-run", {
      hint: "A container's command alone decides what it prints",
    });
  }
  return {
    environment: words.env ?? [],
    environmentFiles: words.envFile ?? [],
    mounts: words.mount ?? [],
    configScript: words.conf,
    rc: words.rc,
    workdir: words.workdir,
    remapRoot: words.root,
    writable: words.rw,
    pid: words.pid,
    net: words.net,
    ipc: words.ipc,
    uts: words.uts,
    unpack: words.unpack,
    dryRun: words.dryRun ? (words.json ? "json" : "text") : undefined,
  };
}

/** Collects the values of an option that may stand several times. */
export function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

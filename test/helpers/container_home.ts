/** A home with a small container of busybox in it, for root or for an ordinary user. */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { Denroot, readableDenroot, type Runtime } from "./denroot_command.ts";
import { asNobody, nobody } from "./other_user.ts";
import { findProgram } from "./run_program.ts";
import { scratchDirectory } from "./scratch.ts";

export type ContainerUser = "root" | "an ordinary user";

/** What an ordinary user runs must lie where it can be read. */
let shared: Runtime | undefined;

export const APPLETS =
  "sh cat cp dd echo env grep head hostname id ifconfig kill ls mkdir mkfifo mount ps " +
  "pwd readlink rm setsid sleep stat stty touch true tty umask uname wc";

/** The container is called `box`. The home is removed after the file's tests. */
export function containerHome(user: ContainerUser, runtime?: Runtime) {
  const { command } = runtime ?? sharedDenroot();
  const home = new Denroot({
    name: `as ${user}`,
    command: user === "root" ? command : [...asNobody, ...command],
  });
  after(() => home.remove());
  const root = join(home.home, "data", "box");
  makeBusyboxRoot(root);
  mkdirSync(join(home.home, "runtime"), { mode: 0o700 });
  if (user !== "root") execFileSync("chown", ["-R", `${nobody}:${nobody}`, home.home]);
  return { denroot: home, root };
}

/** A test can run containers on this machine as each of these users. */
export const USERS: readonly ContainerUser[] = process.getuid!() === 0
  ? ["root", "an ordinary user"]
  : ["an ordinary user"];

export function makeBusyboxRoot(root: string): void {
  const busybox = findProgram("busybox");
  if (busybox === undefined) throw new Error("There is no busybox: run scripts/setup --test");
  for (const name of ["bin", "etc", "tmp", "var", "dev", "proc", "sys", "root"]) {
    mkdirSync(join(root, name), { recursive: true, mode: 0o755 });
  }
  copyFileSync(busybox, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const name of APPLETS.split(" ")) symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/environment"), "PATH=/bin:/usr/bin\nFROM_IMAGE=yes\n");
}

/** Files of tests that share a process use the copy of the first one, unless it is gone with that. */
function sharedDenroot(): Runtime {
  if (shared === undefined || !existsSync(shared.command[0])) {
    shared = readableDenroot(scratchDirectory("denroot"));
  }
  return shared;
}

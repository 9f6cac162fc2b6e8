/** The npm packages of this checkout's release, and a machine that has Node alone. */

import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { project } from "./release.ts";
import { findProgram, runProgram } from "./run_program.ts";

/** Nothing answers there: what asks a registry fails at once. */
const NO_REGISTRY = "http://127.0.0.1:9/";

/** Makes the packages in `directory`; gives their paths. */
export async function makePackages(
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const { stdout } = await runProgram(join(project, "scripts/package"), ["--npm", directory], {
    env: { ...process.env, ...env },
  });
  return stdout.trimEnd().split("\n");
}

/** The packages that this machine needs: the command, and the executable for it. */
export function packagesForHere(packages: readonly string[]): readonly string[] {
  return packages.filter((path) => !/-linux-/.test(path) || path.includes(`-${process.arch}-`));
}

/** A directory for PATH with Node and the shell's few needs in it: no Bun, no Deno, no npm. */
export function nodeAlone(scratch: string): string {
  const directory = join(scratch, "node-alone");
  mkdirSync(directory);
  for (const name of ["node", "sh", "env"]) {
    symlinkSync(findProgram(name)!, join(directory, name));
  }
  return directory;
}

/** Runs npm in a home of its own. It reaches no registry. */
export function npm(home: string, args: readonly string[], cwd = home) {
  return runProgram(findProgram("npm")!, [...args, "--offline", "--no-fund", "--no-audit"], {
    cwd,
    env: offlineEnvironment(home),
  });
}

export function offlineEnvironment(home: string): Record<string, string | undefined> {
  return {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: home,
    npm_config_registry: NO_REGISTRY,
    npm_config_update_notifier: "false",
    BUN_INSTALL_CACHE_DIR: join(home, "bun-cache"),
  };
}

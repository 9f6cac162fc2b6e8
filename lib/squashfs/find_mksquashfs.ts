/** Finds a mksquashfs that reads a tar stream. */

import { accessSync, constants } from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { runCommand } from "../system/run_command.ts";

export interface Mksquashfs {
  readonly path: string;
  /** As it prints it: `4.6.1`. */
  readonly version: string;
  /** Sets the root's time by an option; before 4.6 only SOURCE_DATE_EPOCH does. */
  readonly setsRootTime: boolean;
}

/** Where Debian and Red Hat put it, though a user's PATH may not say so. */
const USUAL_DIRECTORIES = ["/usr/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/bin"];
const VERSION_TIMEOUT_MS = 10_000;

/**
 * `named` wins over what lies on `searchPath` (as PATH has it). Throws code `squashfs` when there is
 * none, or only one from before 4.5, which reads no tar.
 */
export async function findMksquashfs(
  named: string | undefined,
  searchPath: string,
): Promise<Mksquashfs> {
  const program = named ?? locate("mksquashfs", searchPath);
  if (program === undefined) {
    throw new DenrootError("squashfs", "There is no mksquashfs on this machine", {
      hint: "Install squashfs-tools 4.5 or later, or name one in DENROOT_MKSQUASHFS",
    });
  }
  const version = await versionOf(program);
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const number = major * 1000 + (minor ?? 0);
  if (!(number >= 4005)) {
    throw new DenrootError(
      "squashfs",
      `${program} is version ${version}, which reads no tar stream`,
      {
        hint: "Install squashfs-tools 4.5 or later, or name one in DENROOT_MKSQUASHFS",
      },
    );
  }
  return { path: program, version, setsRootTime: number >= 4006 };
}

/** The unsquashfs beside a mksquashfs, else one on `searchPath`. Throws code `squashfs`. */
export function findUnsquashfs(mksquashfs: Mksquashfs, searchPath: string): string {
  const beside = path.join(path.dirname(mksquashfs.path), "unsquashfs");
  const found = isExecutable(beside) ? beside : locate("unsquashfs", searchPath);
  if (found !== undefined) return found;
  throw new DenrootError("squashfs", "There is no unsquashfs on this machine to verify with", {
    hint: "Install squashfs-tools 4.5 or later, or leave out --verify",
  });
}

function locate(name: string, searchPath: string): string | undefined {
  const named = searchPath.split(":").filter((part) => part !== "");
  const directories = [...named, ...USUAL_DIRECTORIES];
  return directories.map((directory) => `${directory}/${name}`).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function versionOf(path: string): Promise<string> {
  try {
    const { stdout } = await runCommand(path, ["-version"], { timeoutMs: VERSION_TIMEOUT_MS });
    const match = /mksquashfs version (\d+\.\d+[\w.-]*)/.exec(stdout.toString("latin1"));
    if (match !== null) return match[1]!;
  } catch (cause) {
    throw new DenrootError("squashfs", `${path} cannot be run: ${messageOf(cause)}`, { cause });
  }
  throw new DenrootError("squashfs", `${path} does not tell a version: is it mksquashfs?`);
}

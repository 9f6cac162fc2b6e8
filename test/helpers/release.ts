/** What scripts/build has made, for tests of it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "./run_program.ts";

export const project = fileURLToPath(new URL("../..", import.meta.url));
export const architectures = ["x64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

/** A file of the release; throws when it has not been built. */
export function releaseFile(path: string): string {
  return builtFile(`dist/${path}`, "scripts/build");
}

export function releasedExecutable(architecture: Architecture): string {
  return releaseFile(`denroot-linux-${architecture}`);
}

/** A program that scripts/build_squashfs has made, as the executables carry it. */
export function squashfsTool(
  architecture: Architecture,
  name: "mksquashfs" | "unsquashfs",
): string {
  return builtFile(`build/squashfs/${architecture}/${name}`, "scripts/build_squashfs");
}

function builtFile(path: string, script: string): string {
  const whole = join(project, path);
  if (!existsSync(whole)) throw new Error(`There is no ${path}: run ${script}`);
  return whole;
}

interface Elf {
  readonly machine: string;
  /** The shared libraries it needs; none in a static program. */
  readonly needed: readonly string[];
  /** The versions of glibc's symbols that it asks for: `[2, 17]`. */
  readonly glibc: readonly (readonly [major: number, minor: number])[];
}

/** Reads an executable's headers, of whichever architecture. */
export async function readElf(path: string): Promise<Elf> {
  const { stdout } = await runProgram("readelf", ["--wide", "-hdV", path], {
    env: { ...process.env, LC_ALL: "C" },
  });
  const needs = stdout.split("Version needs section")[1] ?? "";
  return {
    machine: /Machine:\s+(.*)/.exec(stdout)?.[1] ?? "",
    needed: [...stdout.matchAll(/\(NEEDED\)\s+Shared library: \[(.*)\]/g)].map((match) =>
      match[1]!
    ),
    glibc: [...needs.matchAll(/Name: GLIBC_(\d+)\.(\d+)/g)]
      .map((match) => [Number(match[1]), Number(match[2])] as const),
  };
}

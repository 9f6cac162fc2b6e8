/** Running programs for processors that this machine does not have, by qemu's user emulation. */

import { writeFileSync } from "node:fs";
import { findProgram, startProgram } from "./run_program.ts";

type Command = readonly [string, ...string[]];

/** Tells qemu where glibc for arm64 lies. */
export const armLibraries = { QEMU_LD_PREFIX: "/usr/aarch64-linux-gnu" };

/** qemu's description of arm64 programs for the kernel, as Debian installs it. */
const armFormat = "/usr/lib/binfmt.d/qemu-aarch64.conf";

/** Runs a program on an x86-64 processor without AVX; programs that it starts run on the real one. */
export function onOldProcessor(program: string): Command {
  return ["qemu-x86_64-static", "-cpu", "Nehalem", program];
}

/**
 * Runs a program for arm64, and all programs for arm64 that it starts: the kernel hands them to
 * qemu, as long as the program's user namespace lives. Undefined where the kernel (before 6.7) or
 * its rules do not allow that.
 */
export async function onArm(program: string): Promise<Command | undefined> {
  const register = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && " +
    `cat ${armFormat} > /proc/sys/fs/binfmt_misc/register`;
  const inNamespace = (script: string): Command => [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    `${register} && ${script}`,
    program,
  ];
  const [command, ...args] = inNamespace("true");
  const probe = await startProgram(command, args).done;
  return probe.exitCode === 0 ? inNamespace('exec "$0" "$@"') : undefined;
}

/** Writes a script that runs one emulated program with the script's own arguments. */
export function writeWrapper(path: string, command: Command): string {
  const [emulator, ...args] = command;
  const words = [findProgram(emulator) ?? emulator, ...args].map((word) => `'${word}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}

/** What hooks of sites call: `enroot-mount`, and the functions of `common.sh`. */

import { mkdirSync, writeFileSync } from "node:fs";
import { shellWord } from "../../enroot/quote.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import { COMMON_SCRIPT } from "./common_script.ts";

/** `mountat` is what the first enroot called it. */
const MOUNT_PROGRAMS = ["enroot-mount", "mountat"];

/** Makes the directory below `runtimePath`, which is private to the container. Gives its path. */
export function makeHookLibrary(runtimePath: string): string {
  const library = `${runtimePath}/library`;
  mkdirSync(library, { recursive: true, mode: 0o700 });
  writeFileSync(`${library}/common.sh`, COMMON_SCRIPT);
  const { path, argv } = ownCommand();
  const words = [path, ...argv.slice(1), "enroot-mount"].map(shellWord).join(" ");
  for (const name of MOUNT_PROGRAMS) {
    writeFileSync(`${library}/${name}`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  }
  return library;
}

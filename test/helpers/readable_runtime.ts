/** A denroot that other users may run. */

import { chmodSync, copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { bun, executable, type Runtime } from "./denroot_command.ts";

/** A copy of the executable in `directory`, for the project's own may be closed to others. */
export function readableRuntime(directory: string): Runtime {
  if (!existsSync(executable)) return bun;
  const copy = join(directory, "denroot");
  copyFileSync(executable, copy);
  chmodSync(copy, 0o755);
  return { name: "the executable", command: [copy] };
}

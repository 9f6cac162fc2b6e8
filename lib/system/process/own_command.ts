/** How this program can be run once more. */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { runsAsExecutable } from "../project_url.ts";
import { outerPid } from "./outer_pid.ts";

export interface OwnCommand {
  /**
   * The file that this process runs, also where an update has replaced or removed it since. Other
   * processes may use the path while this one lives.
   */
  readonly path: string;
  /** What comes before the arguments, with the name at the front by which the user called it. */
  readonly argv: readonly string[];
}

/** From source, the runtime is run with the script; it gets the permissions that Deno asks for. */
export function ownCommand(): OwnCommand {
  const path = `/proc/${outerPid()}/exe`;
  if (runsAsExecutable()) return { path, argv: [calledName()] };
  const script = process.argv[1]!;
  return {
    path,
    argv: "Deno" in globalThis ? ["deno", "run", "-A", "--no-check", script] : ["bun", script],
  };
}

function calledName(): string {
  const words = readFileSync("/proc/self/cmdline", "utf8");
  return basename(words.slice(0, Math.max(0, words.indexOf("\0"))));
}
